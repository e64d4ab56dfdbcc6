// What the tests ask of the engine: a question as JSON in, answers as JSON out.

import { readFileSync } from "node:fs";
import { deepLift, integratedGradients } from "./gradients.js";
import { readModel } from "./model.js";
import { shapleyValues } from "./shapley.js";

const QUESTIONS = {
  predictions: (model, { rows, scale }) => plain(model.predict(rows, scale)),
  rescaled: (model, { rows, background, scale }) => rows.map((row) => told(deepLift(model, row, background, { scale }))),
  integrated: (model, { rows, background, scale }) =>
    rows.map((row) => told(integratedGradients(model, row, background, { scale }))),
  shapley: (model, { rows, background, scale, seed, most }) =>
    rows.map((row) => Array.from(shapleyValues(model, row, background, { scale, seed, most }), told)),
};

const asked = JSON.parse(readFileSync(0, "utf8"), (name, value) =>
  ["rows", "background"].includes(name) ? value.map((row) => Float64Array.from(row, (code) => code ?? NaN)) : value,
);
process.stdout.write(JSON.stringify(answer()));

function answer() {
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
