// What the engine of the workbench is asked by node: a line of JSON in for each question, one out for its answer.

import { createInterface } from "node:readline";
import { deepLift, integratedGradients } from "./gradients.js";
import { readModel } from "./model.js";
import { shapleyValues } from "./shapley.js";

const QUESTIONS = {
  predictions: (model, { rows, scale }) => plain(model.predict(rows, scale)),
  milliseconds: (model, { rows, scale }) => rows.map((row) => timed(() => model.predict([row], scale))),
  rescaled: (model, { rows, background, scale }) => rows.map((row) => told(deepLift(model, row, background, { scale }))),
  integrated: (model, { rows, background, scale }) =>
    rows.map((row) => told(integratedGradients(model, row, background, { scale }))),
  shapley: (model, { rows, background, scale, seed, most, seconds = Infinity }) =>
    rows.map((row, i) => answers(shapleyValues(model, row, background, { scale, seed: seed + i, most }), seconds)),
};

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line, (name, value) =>
    ["rows", "background"].includes(name) ? value.map((row) => Float64Array.from(row, (code) => code ?? NaN)) : value,
  );
  process.stdout.write(`${JSON.stringify(answered(asked))}\n`);
}

function answered(asked) {
  try {
    return QUESTIONS[asked.what](readModel(asked.model), asked);
  } catch (error) {
    if (error.constructor.name !== "EngineError") throw error;
    return error.message;
  }
}

/** Return all answers within some seconds, each with the milliseconds that it took. */
function answers(sharpened, seconds) {
  const found = [];
  const start = performance.now();
  for (const answer of sharpened) {
    found.push({ ...told(answer), milliseconds: performance.now() - start });
    if (performance.now() - start > 1000 * seconds) break;
  }
  return found;
}

function timed(work) {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function plain(numbers) {
  return Array.from(numbers);
}

function told(answer) {
  return Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, ArrayBuffer.isView(value) ? plain(value) : value]));
}
