// What the engine of the workbench is asked by node: a line of JSON in for each question, one out for its answer.

import { createInterface } from "node:readline";
import { cloudAround, fitOf } from "./cloud.js";
import { deepLift, integratedGradients } from "./gradients.js";
import { readModel } from "./model.js";
import { addedIn, everybodySetTo, meanOfDraws, ordersOf } from "./orders.js";
import { alongPaths, differencesFrom } from "./paths.js";
import { shapleyValues } from "./shapley.js";

// Time is the processor's, which is what passes on an idle machine: others may be at work here.
Object.defineProperty(globalThis, "performance", { value: { now: () => (process.cpuUsage().user + process.cpuUsage().system) / 1000 } });

const QUESTIONS = {
  predictions: (model, { rows, scale }) => plain(model.predict(rows, scale)),
  milliseconds: (model, { rows, scale }) => rows.map((row) => timed(() => model.predict([row], scale))),
  rescaled: (model, { rows, background, scale }) => rows.map((row) => told(deepLift(model, row, background, { scale }))),
  integrated: (model, { rows, background, scale }) =>
    rows.map((row) => told(integratedGradients(model, row, background, { scale }))),
  shapley: (model, { rows, background, scale, seed, most, seconds = Infinity }) =>
    rows.map((row, i) => answers(shapleyValues(model, row, background, { scale, seed: seed + i, most }), seconds)),
  orders: (model, { rows, background, scale, count }) => each(rows, async (row) => {
    const found = await ordersOf(promised(model, scale), row, background, { count });
    return { ...found, added: found.draws.map((draw) => plain(addedIn(draw, row.length))), ...told(meanOfDraws(found.draws, row.length)) };
  }),
  everybody: (model, { rows, background, scale, column, grid }) =>
    each(rows, (row) => everybodySetTo(promised(model, scale), row, background, column, Array.from(grid, (code) => code ?? NaN))),
  paths: (model, { rows, background, scale }) => each(rows, (row) => alongPaths(model, row, background, { scale })),
  differences: (model, { rows, background, scale }) => each(rows, async (row) => {
    const found = await differencesFrom(model, row, background, { scale });
    return { ...found, references: found.references.map(told) };
  }),
  cloud: (model, { rows, background, scale, columns, count, seed = 0 }) => each(rows, async (row) => {
    const cloud = await cloudAround(promised(model, scale), columns, row, background, { count, seed });
    return fitOf(cloud, count);
  }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line, (name, value) =>
    ["rows", "background"].includes(name) ? value.map((row) => Float64Array.from(row, (code) => code ?? NaN)) : value,
  );
  process.stdout.write(`${JSON.stringify(await answered(asked))}\n`);
}

async function answered(asked) {
  try {
    return await QUESTIONS[asked.what](readModel(asked.model), asked);
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

async function each(rows, ask) {
  const found = [];
  for (const row of rows) found.push(told(await ask(row)));
  return found;
}

function promised(model, scale) {
  return async (rows) => plain(model.predict(rows, scale));
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
  const asPlain = (value) => (ArrayBuffer.isView(value) ? plain(value) : Array.isArray(value) ? value.map(asPlain) : value);
  return Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, asPlain(value)]));
}
