// What models answer: at once in this thread, and contributions of changed people bit by bit in a worker.

import { readModel } from "../engine/models.js";

/** Return a function of rows to what each model answers: {output, probability}, of those that are written down. */
export function makePredict(book) {
  const models = new Map();
  for (const one of book.models) if (one.written) models.set(one.name, readModel(one.written));
  return {
    can: (name) => models.has(name),
    predict(name, rows, scale) {
      return models.get(name).predict(rows, scale);
    },
  };
}

/** Ask a worker, which is this very script, for the contributions of a row; a new question ends the one before. */
export function makeAsk(book, source) {
  let worker = null;
  let asked = 0;

  function start() {
    worker = new Worker(source);
    worker.postMessage({ models: book.models.filter((one) => one.written).map((one) => one.written), background: book.background });
  }

  return function ask(question, update) {
    asked += 1;
    const mine = asked;
    if (worker) worker.terminate();
    start();
    worker.onmessage = ({ data }) => {
      if (mine === asked) update(data);
    };
    worker.onerror = (event) => {
      if (mine === asked) update({ failed: event.message || "it failed" });
    };
    worker.postMessage(question);
    return () => {
      if (mine === asked) asked += 1;
    };
  };
}
