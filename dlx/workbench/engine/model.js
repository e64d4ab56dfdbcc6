// Models as dlx.workbench.writing writes them, evaluated as in Python.

import { EngineError, checkRow } from "./columns.js";
import { frontOfRows, outputsOfFronts, readNet } from "./net.js";
import { sigmoid } from "./nonlinearities.js";
import { readForTrees, readTrees, sumOfLeaves } from "./trees.js";

/**
 * Return a written model: {name, kind, scale, scales, columns, predict}, of the kind "net", "additive", "linear" or
 * "trees".
 *
 * `predict(rows, scale)` gives a Float64Array [rows] of rows of codes in original columns, NaN where missing, and throws an
 * EngineError where a code does not fit its column.
 */
export function readModel(written) {
  let start = 0;
  const columns = written.columns.map((column) => {
    start += column.width;
    return { ...column, start: start - column.width };
  });
  const { name, kind, scales } = written;
  const model = { name, kind, scales, scale: scales[0], columns, hasRescaleRule: written.rescale_rule === true };
  if (kind === "trees") model.trees = readTrees(written.trees);
  else model.net = readNet(written.net);
  model.predict = (rows, scale) => predicted(model, rows, scale);
  return model;
}

function predicted(model, rows, scale) {
  checkScale(model, scale);
  for (const row of rows) checkRow(model.columns, row);
  const outputs = ownOutputs(model, rows);
  return outputs.map((output) => onScale(model, output, scale));
}

function ownOutputs(model, rows) {
  if (model.net) return outputsOfFronts(model.net, frontOfRows(model.net, model.columns, rows), rows.length);
  return Float64Array.from(rows, (row) => sumOfLeaves(model.trees, readForTrees(model.trees, row)));
}

/** Throw an EngineError where a model lacks a scale. */
export function checkScale(model, scale) {
  if (!model.scales.includes(scale)) {
    throw new EngineError(`${model.name} has no scale ${scale}; it has ${model.scales.join(", ")}`);
  }
}

/** Return an output of a model, which is on its own scale, on another one. */
export function onScale(model, output, scale) {
  const isNetOfProbabilities = model.kind === "net" && model.scale === "probability";
  const own = isNetOfProbabilities ? Math.min(1, Math.max(0, output)) : output;
  if (scale === model.scale) return own;
  if (scale === "probability") return sigmoid(own);
  if (own <= 0 || own >= 1) {
    throw new EngineError(`${model.name} predicts a probability of exactly 0 or 1, where the logit is infinite`);
  }
  return Math.log(own / (1 - own));
}
