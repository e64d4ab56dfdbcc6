// What the tests ask of the engine: a line of JSON in for each question, one out for its answer.

import { createInterface } from "node:readline";
import { deepLift, integratedGradients } from "./gradients.js";
import { readModel } from "./model.js";
import { shapleyValues } from "./shapley.js";

const QUESTIONS = {
  predictions: (model, { rows, scale }) => plain(model.predict(rows, scale)),
  rescaled: (model, { rows, background, scale }) => rows.map((row) => told(deepLift(model, row, background, { scale }))),
  integrated: (model, { rows, background, scale }) =>
    rows.map((row) => told(integratedGradients(model, row, background, { scale }))),
  shapley: (model, { rows, background, scale, seed, most }) =>
    rows.map((row, i) => Array.from(shapleyValues(model, row, background, { scale, seed: seed + i, most }), told)),
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

function plain(numbers) {
  return Array.from(numbers);
}

function told(answer) {
  return Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, ArrayBuffer.isView(value) ? plain(value) : value]));
}
