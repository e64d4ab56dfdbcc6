// DeepLIFT and integrated gradients of a net, averaged over the background. See dlx.kernels.gradients.
//
// Both are a backward pass with mean slopes in place of derivatives: between the reference's value and the row's (the rescale
// rule of Shrikumar et al. 2017), or along a straight path (Sundararajan et al. 2017). Behind the front, which is linear in
// the dense input, what a column gets is the gradient with respect to the front times what the column changes there.

import { EngineError, checkRow } from "./columns.js";
import { differing, frontChanges } from "./mixtures.js";
import { checkScale } from "./model.js";
import { frontOfRows, outputsOfFronts, rowOf, stepValues } from "./net.js";
import { GAUSS_POINTS, GAUSS_WEIGHTS, hasOneKink, isHead, meanHeadSlopes, meanSlope, nonlinearity } from "./nonlinearities.js";
import { addRow, meanOf, multiply, product } from "./products.js";

const CLOSED = 1e-7; // of the change from a reference: how far a path may be from adding up
const MOST_PIECES = 256;

/** Return DeepLIFT contributions of a row, {values, base, prediction}: the rescale rule, the mean over the background. */
export function deepLift(model, row, background, { scale = model.scale } = {}) {
  const net = netOnScale(model, scale, [row, ...background]);
  if (!model.hasRescaleRule) throw new EngineError(`a nonlinearity of ${model.name} is no module, to which the rule applies`);
  const count = background.length;
  const own = stepValues(net, frontOfRows(net, model.columns, [row]), 0, 1).map((values) => values.slice());
  const theirs = stepValues(net, frontOfRows(net, model.columns, background), 0, count);
  const gradients = pulled(net, (step, source) => slopesBetween(step, theirs[source], own[source], count, true), count);
  return averaged(model, net, row, background, (i) => rowOf(gradients, i, net.frontWidth), scale);
}

/** Return integrated gradients of a row, {values, base, prediction}: exact for nets of ReLUs, the mean over the background. */
export function integratedGradients(model, row, background, { scale = model.scale } = {}) {
  const net = netOnScale(model, scale, [row, ...background]);
  const fronts = frontOfRows(net, model.columns, [row, ...background]);
  const at = (i) => rowOf(fronts, i, net.frontWidth);
  const inner = innerNonlinear(net);
  const gradient = (reference) => meanGradients(net, pathBetween(at(reference + 1), at(0)), inner)[0];
  return averaged(model, net, row, background, gradient, scale);
}

/** Return the net that answers on a scale, of rows that fit its columns: with a sigmoid at its end, where it answers in log-odds itself. */
export function netOnScale(model, scale, rows) {
  checkScale(model, scale);
  for (const row of rows) checkRow(model.columns, row);
  if (model.kind !== "net") throw new EngineError(`${model.name} is no net`);
  const { net } = model;
  if (scale === model.scale) return { ...net, scratch: [] };
  if (scale === "logit") throw new EngineError(`${model.name} answers in probabilities: explain it on that scale`);
  const head = net.steps[net.last];
  if (isHead(head)) return { ...net, steps: [...net.steps.slice(0, -1), { ...head, op: "share" }], scratch: [] };
  const step = { op: "sigmoid", from: [net.last], width: 1, curve: nonlinearity({ op: "sigmoid" }) };
  return { ...net, steps: [...net.steps, step], isStraight: [...net.isStraight, false], last: net.last + 1, scratch: [] };
}

/** Return the contributions from the mean gradient with respect to the front, on the way from each reference. */
function averaged(model, net, row, background, gradientFrom, scale) {
  const [prediction, ...outputs] = model.predict([row, ...background], scale);
  const values = new Float64Array(row.length);
  background.forEach((reference, i) => {
    const gradient = gradientFrom(i);
    const players = differing(row, reference);
    const changes = frontChanges(net, model.columns, row, reference, players);
    players.forEach((j, place) => {
      values[j] += product(changes, place * net.frontWidth, gradient) / background.length;
    });
  });
  return { values, base: meanOf(outputs), prediction };
}

/** Return the output's gradients with respect to the front, [rows, frontWidth], by what stands for derivatives. */
function pulled(net, slopesOf, rows) {
  const gradients = [];
  gradients[net.last] = new Float64Array(rows).fill(1);
  const onFront = new Float64Array(rows * net.frontWidth);
  for (let i = net.last; i >= 0; i -= 1) {
    const step = net.steps[i];
    if (gradients[i] && !net.isStraight[i]) {
      const back = pulledThrough(step, gradients[i], slopesOf, rows);
      for (const source of step.from) {
        if (gradients[source]) addRow(1, back, 0, gradients[source], 0, back.length);
        else gradients[source] = back.slice();
      }
    }
  }
  let start = 0;
  for (const i of net.front) {
    const { width } = net.steps[i];
    for (let row = 0; gradients[i] && row < rows; row += 1) {
      onFront.set(rowOf(gradients[i], row, width), row * net.frontWidth + start);
    }
    start += width;
  }
  return onFront;
}

function pulledThrough(step, gradient, slopesOf, rows) {
  if (step.op === "added") return gradient;
  if (step.op === "scaled") return gradient.map((value, i) => value * step.factor[i % step.width]);
  if (step.op === "dense") {
    const back = new Float64Array(rows * step.inputs);
    multiply(gradient, step.weight, null, back, rows, step.width, step.inputs);
    return back;
  }
  const slopes = slopesOf(step, step.from[0]);
  const each = slopes.length / gradient.length; // a head has one for each of its outputs
  for (let i = 0; i < slopes.length; i += 1) slopes[i] *= gradient[Math.floor(i / each)];
  return slopes;
}

/** Return a step's mean slopes from some values to others, [rows, width]; the others' rows in turn, or one for all. */
function slopesBetween(step, start, end, rows, isOneForAll = false) {
  const width = isHead(step) ? step.inputs : step.width;
  const slopes = new Float64Array(rows * width);
  for (let row = 0; row < rows; row += 1) {
    const from = row * width;
    const to = isOneForAll ? 0 : from;
    if (isHead(step)) slopes.set(meanHeadSlopes(step, rowOf(start, row, width), end.subarray(to, to + width)), from);
    else for (let k = 0; k < width; k += 1) slopes[from + k] = meanSlope(step, start[from + k], end[to + k]);
  }
  return slopes;
}

/** Return the straight line between two fronts. */
export function pathBetween(start, end) {
  return { start, change: end.map((value, k) => value - start[k]) };
}

/** Return the mean gradients with respect to the front between cuts of a path: exact where they take finitely many values. */
export function meanGradients(net, path, inner, cuts = [0, 1]) {
  if (inner.every((i) => hasOneKink(net.steps[i]))) return meanByPieces(net, path, inner, cuts);
  const at = (share) => path.start.map((value, k) => value + share * path.change[k]);
  return cuts.slice(1).map((cut, i) => meanByRule(net, pathBetween(at(cuts[i]), at(cut))));
}

/** Return the nonlinear steps that other nonlinear steps depend on. */
export function innerNonlinear(net) {
  const isNonlinear = (i) => !["given", "dense", "scaled", "added"].includes(net.steps[i].op);
  const before = [];
  net.steps.forEach((step, i) => {
    before[i] = new Set(step.from.flatMap((source) => [...before[source], ...(isNonlinear(source) ? [source] : [])]));
  });
  const all = net.steps.flatMap((_, i) => (isNonlinear(i) ? [...before[i]] : []));
  return [...new Set(all)].sort((a, b) => a - b);
}

/** Return the values of each step at points of a path. */
function valuesAlong(net, { start, change }, points) {
  const fronts = new Float64Array(points.length * net.frontWidth);
  points.forEach((share, i) => {
    fronts.set(start, i * net.frontWidth);
    addRow(share, change, 0, fronts, i * net.frontWidth, net.frontWidth);
  });
  return stepValues(net, fronts, 0, points.length);
}

/** Return the mean gradients between cuts of a path, piece by piece between the points where a unit of the inner steps switches. */
function meanByPieces(net, path, inner, cuts) {
  let knots = cuts;
  for (const i of inner) {
    const { width, from } = net.steps[i];
    const values = valuesAlong(net, path, knots)[from[0]];
    const switches = [];
    for (let cell = 0; cell < (knots.length - 1) * width; cell += 1) {
      const low = values[cell];
      const high = values[cell + width];
      if (low * high < 0) {
        const piece = Math.floor(cell / width);
        switches.push(knots[piece] + ((knots[piece + 1] - knots[piece]) * low) / (low - high));
      }
    }
    knots = [...knots, ...switches].sort((a, b) => a - b);
  }
  const values = valuesAlong(net, path, knots);
  const slopesOf = (step, source) =>
    slopesBetween(step, values[source], values[source].subarray(isHead(step) ? step.inputs : step.width), knots.length - 1);
  const lengths = knots.slice(1).map((knot, i) => knot - knots[i]);
  const gradients = pulled(net, slopesOf, lengths.length);
  return cuts.slice(1).map((cut, i) => {
    const shares = lengths.map((length, k) => (knots[k] >= cuts[i] && knots[k + 1] <= cut ? length / (cut - cuts[i]) : 0));
    return weighted(gradients, shares, net.frontWidth);
  });
}

/** Return the same by Gauss and Legendre's rule on more and more pieces, until the path adds up. */
function meanByRule(net, path) {
  const [start, end] = outputsOfFronts(net, Float64Array.of(...path.start, ...path.start.map((x, k) => x + path.change[k])), 2);
  for (let pieces = 2; ; pieces *= 2) {
    const points = Array.from({ length: 5 * pieces }, (_, i) => (Math.floor(i / 5) + GAUSS_POINTS[i % 5]) / pieces);
    const values = valuesAlong(net, path, points);
    const slopesOf = (step, source) => slopesBetween(step, values[source], values[source], points.length);
    const gradient = weighted(pulled(net, slopesOf, points.length), points.map((_, i) => GAUSS_WEIGHTS[i % 5] / pieces), net.frontWidth);
    const gap = gradient.reduce((sum, slope, k) => sum + slope * path.change[k], start - end);
    if (Math.abs(gap) <= CLOSED * Math.max(1, Math.abs(end - start)) || pieces >= MOST_PIECES) return gradient;
  }
}

function weighted(gradients, weights, width) {
  const mean = new Float64Array(width);
  weights.forEach((weight, i) => {
    if (weight !== 0) addRow(weight, gradients, i * width, mean, 0, width);
  });
  return mean;
}
