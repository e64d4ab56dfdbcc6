// Answers from the page's own file: models evaluated in this thread, contributions bit by bit in a worker that lasts.

import { readModel } from "../engine/model.js";
import { inParts } from "./parts.js";

const COMPUTED = [
  { value: "shapley", words: "Shapley values", is_shapley: true, shown_as: "orders", fits: () => true },
  { value: "deeplift", words: "DeepLIFT", shown_as: "references", fits: (written) => written.kind === "net" && written.rescale_rule },
  { value: "integrated_gradients", words: "Integrated gradients", shown_as: "path", fits: (written) => written.kind === "net" },
];

const AT_A_TIME_HERE = 10; // rows, of which even a slow model's take less than a pause may wait

/**
 * Return what can be asked: `methods(model)`, `risks(rows)` of every model, `answersOf(model, rows)`, `model(name)`,
 * `explain(question, update)`, which returns how to stop it, and `close()`. A risk is {name, colour, answer, failed}: null, and
 * why, where a model has no answer.
 */
export function answersHere(book, source) {
  const written = new Map(book.models.filter((one) => one.written).map((one) => [one.name, one.written]));
  const models = new Map(Array.from(written, ([name, one]) => [name, readModel(one)]));
  const waiting = new Map(); // what is called with the answers to a question, by its number
  let worker = null;
  let count = 0;

  function started() {
    worker = new Worker(source);
    worker.onmessage = ({ data: { id, ...found } }) => {
      waiting.get(id)?.(found);
      if (found.isLast || found.failed) waiting.delete(id);
    };
    worker.onerror = (event) => {
      for (const update of waiting.values()) update({ failed: event.message || "it failed" });
      worker.terminate();
      worker = null;
    };
    worker.postMessage({ models: Object.fromEntries(written), background: book.background });
  }

  function methods(name) {
    return written.has(name) ? COMPUTED.filter((one) => one.fits(written.get(name))) : [];
  }

  async function answersOf(name, rows) {
    if (!models.has(name)) return rows.map(() => null);
    return Array.from(await inParts(rows, (some) => models.get(name).predict(some, book.scale), AT_A_TIME_HERE));
  }

  async function risks(rows) {
    const each = await Promise.all(
      book.models.map(({ name, why }) => answersOf(name, rows).then((answers) => ({ answers, failed: why }), ({ message }) => ({ answers: [], failed: message }))),
    );
    return rows.map((_, i) => book.models.map(({ name, colour }, k) => ({ name, colour, answer: each[k].answers[i] ?? null, failed: each[k].failed })));
  }

  function explain({ against, ...question }, update) {
    if (!worker) started();
    const id = (count += 1);
    waiting.set(id, update);
    worker.postMessage({ id, ...question, against });
    return () => {
      if (waiting.delete(id)) worker?.postMessage({ stop: id });
    };
  }

  /** Return a model that can be asked about many rows at once: {engine, predict}; or why not. */
  async function model(name) {
    const engine = models.get(name) ?? null;
    if (!engine) return { engine, predict: null, why: book.models.find((one) => one.name === name).why };
    return { engine, predict: (rows, scale) => inParts(rows, (some) => engine.predict(some, scale)) };
  }

  if (written.size) started(); // it reads the models while the page is drawn
  return { methods, risks, answersOf, model, explain, close: () => worker?.terminate() };
}
