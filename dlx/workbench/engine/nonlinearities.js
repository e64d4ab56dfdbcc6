// Nonlinearities, and their mean derivative between two values: of each element, or of a head, which makes one number of all
// outputs of a net of several classes. See dlx.kernels.gradients.nonlinearities and dlx.model.heads.

import { sumOf } from "./products.js";

export const GAUSS_POINTS = [0.04691007703066802, 0.23076534494715845, 0.5, 0.7692346550528415, 0.953089922969332];
export const GAUSS_WEIGHTS = [0.11846344252809454, 0.23931433524968324, 64 / 225, 0.23931433524968324, 0.11846344252809454];
const HEAD_PIECES = 6; // of five points each, of the line between two rows' outputs
const CLOSE_VALUES = 1e-6; // there the slope in the middle is closer to the mean slope than a quotient is

/** Return the nonlinearity of a step as a function of a number. */
export function nonlinearity({ op, slope = 0, alpha = 1, beta = 1, threshold = 20 }) {
  switch (op) {
    case "relu":
    case "leaky_relu":
      return (x) => (x > 0 ? x : x * slope);
    case "elu":
      return (x) => (x > 0 ? x : alpha * Math.expm1(x));
    case "sigmoid":
      return sigmoid;
    case "tanh":
      return Math.tanh;
    default:
      return (x) => (x * beta > threshold ? x : Math.log1p(Math.exp(x * beta)) / beta);
  }
}

/** Return the logistic function of a log-odds: a probability. */
export function sigmoid(x) {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

/** Whether a step is linear on either side of 0: then gradients along a path have finitely many values. */
export function hasOneKink({ op }) {
  return op === "relu" || op === "leaky_relu";
}

/** Return the mean derivative of a step on the way from one value to another; where they meet, the derivative. */
export function meanSlope(step, start, end) {
  if (step.op === "relu" || step.op === "leaky_relu") {
    const below = step.slope ?? 0;
    if (start > 0 && end > 0) return 1;
    if (start <= 0 && end <= 0) return below;
    const above = Math.max(start, end) / Math.abs(end - start); // the share of the way that is above 0
    return above * (1 - below) + below;
  }
  const curve = nonlinearity(step);
  const change = end - start;
  if (Math.abs(change) >= CLOSE_VALUES) return (curve(end) - curve(start)) / change;
  const middle = (start + end) / 2;
  return (curve(middle + CLOSE_VALUES) - curve(middle - CLOSE_VALUES)) / (2 * CLOSE_VALUES);
}

/** Whether a step is a head: the log-odds of one class against the others, or its share. */
export function isHead({ op }) {
  return op === "against_others" || op === "share";
}

/** Return what a head makes of the outputs of a row: of its class and all others. */
export function headOf({ op, chosen }, outputs) {
  const others = outputs.filter((_, i) => i !== chosen);
  const most = Math.max(...others);
  const logOdds = outputs[chosen] - most - Math.log(others.reduce((sum, output) => sum + Math.exp(output - most), 0));
  return op === "share" ? sigmoid(logOdds) : logOdds;
}

/** Return a head's mean derivatives by each output along the straight line from some outputs to others. */
export function meanHeadSlopes(step, start, end) {
  const change = end.map((output, i) => output - start[i]);
  const slopes = new Float64Array(start.length);
  for (let piece = 0; piece < HEAD_PIECES; piece += 1) {
    GAUSS_POINTS.forEach((point, k) => {
      const here = start.map((output, i) => output + (change[i] * (piece + point)) / HEAD_PIECES);
      headSlopes(step, here).forEach((slope, i) => {
        slopes[i] += (slope * GAUSS_WEIGHTS[k]) / HEAD_PIECES;
      });
    });
  }
  return slopes;
}

function headSlopes({ op, chosen }, outputs) {
  const most = Math.max(...outputs.filter((_, i) => i !== chosen));
  const odds = outputs.map((output, i) => (i === chosen ? 0 : Math.exp(output - most)));
  const total = sumOf(odds);
  const own = op === "share" ? headOf({ op, chosen }, outputs) : 0;
  const unit = op === "share" ? own * (1 - own) : 1; // the derivative of the share by the log-odds
  return odds.map((one, i) => unit * (i === chosen ? 1 : -one / total));
}
