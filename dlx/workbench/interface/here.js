// Answers from the page's own file: models evaluated in this thread, contributions bit by bit in a worker.

import { readModel } from "../engine/model.js";
import { inParts } from "./parts.js";

const COMPUTED = [
  { value: "shapley", words: "Shapley values", is_shapley: true, fits: () => true },
  { value: "deeplift", words: "DeepLIFT", is_shapley: false, fits: (written) => written.kind === "net" && written.rescale_rule },
  { value: "integrated_gradients", words: "Integrated gradients", is_shapley: false, fits: (written) => written.kind === "net" },
];

/** Return what can be asked: `methods(model)`, `risks(rows)`, `model(name)` and `explain(question, update)`, which returns how to stop it. */
export function answersHere(book, source) {
  const written = new Map(book.models.filter((one) => one.written).map((one) => [one.name, one.written]));
  const models = new Map(Array.from(written, ([name, one]) => [name, readModel(one)]));
  let worker = null;

  function methods(name) {
    return written.has(name) ? COMPUTED.filter((one) => one.fits(written.get(name))) : [];
  }

  async function risks(rows) {
    const each = book.models.map(({ name }) => (models.has(name) ? models.get(name).predict(rows, book.scale) : null));
    return rows.map((_, i) => book.models.map((one, k) => ({ name: one.name, colour: one.colour, answer: each[k] ? each[k][i] : null })));
  }

  function explain(question, update) {
    worker?.terminate();
    const mine = new Worker(source);
    worker = mine;
    mine.onmessage = ({ data }) => update(data);
    mine.onerror = (event) => update({ failed: event.message || "it failed" });
    mine.postMessage({ written: written.get(question.model), ...question, background: question.against ?? book.background });
    return () => mine.terminate();
  }

  /** Return a model that can be asked about many rows at once: {engine, predict}; or why not. */
  async function model(name) {
    const engine = models.get(name) ?? null;
    if (!engine) return { engine, predict: null, why: book.models.find((one) => one.name === name).why };
    return { engine, predict: (rows, scale) => inParts(rows, (some) => engine.predict(some, scale)) };
  }

  return { methods, risks, explain, model };
}
