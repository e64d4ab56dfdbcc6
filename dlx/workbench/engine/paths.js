// How gradient methods get their answer from a net, step by step: integrated gradients along their path, and the differences
// from a reference of DeepLIFT.

import { deepLift, innerNonlinear, meanGradients, netOnScale, pathBetween } from "./gradients.js";
import { differing, frontChanges } from "./mixtures.js";
import { frontOfRows, outputsOfFronts, rowOf, stepValues } from "./net.js";
import { meanSlope, nonlinearity } from "./nonlinearities.js";
import { addRow, product } from "./products.js";

const UNIT_POINTS = 41; // points of a nonlinearity

/**
 * Return the way of integrated gradients, {shares, outputs, values}: at each share of the way from the references to the row
 * the mean output, and what each column was given until there; at the end that is its value. `pause` is awaited now and then.
 */
export async function alongPaths(model, row, background, { scale = model.scale, pieces = 20, pause = async () => {} }) {
  const net = netOnScale(model, scale, [row, ...background]);
  const inner = innerNonlinear(net);
  const fronts = frontOfRows(net, model.columns, [row, ...background]);
  const shares = Array.from({ length: pieces + 1 }, (_, piece) => piece / pieces);
  const outputs = new Float64Array(pieces + 1);
  const values = shares.map(() => new Float64Array(row.length));
  for (let i = 0; i < background.length; i += 1) {
    const start = rowOf(fronts, i + 1, net.frontWidth);
    const path = pathBetween(start, rowOf(fronts, 0, net.frontWidth));
    const at = (share) => start.map((from, k) => from + share * path.change[k]);
    const players = differing(row, background[i]);
    const changes = frontChanges(net, model.columns, row, background[i], players);
    outputsAt(net, shares.map(at)).forEach((output, piece) => (outputs[piece] += output / background.length));
    meanGradients(net, path, inner, shares).forEach((gradient, piece) => {
      players.forEach((j, place) => {
        values[piece + 1][j] += product(changes, place * net.frontWidth, gradient) / pieces / background.length;
      });
    });
    await pause();
  }
  for (let piece = 1; piece <= pieces; piece += 1) addRow(1, values[piece - 1], 0, values[piece], 0, row.length);
  return { shares, outputs, values };
}

function outputsAt(net, fronts) {
  const joined = new Float64Array(fronts.length * net.frontWidth);
  fronts.forEach((front, i) => joined.set(front, i * net.frontWidth));
  return outputsOfFronts(net, joined, fronts.length);
}

/**
 * Return how DeepLIFT compares a row with each reference, {prediction, references, unit}.
 *
 * Of each reference its output and its contributions, whose mean are the method's; `unit` is a unit of the net that bends on
 * the way from the first reference to the row: see `unitOf`.
 */
export async function differencesFrom(model, row, background, { scale = model.scale, pause = async () => {} }) {
  const references = [];
  for (const reference of background) {
    const { values, base } = deepLift(model, row, [reference], { scale });
    references.push({ output: base, values });
    await pause();
  }
  return { prediction: model.predict([row], scale)[0], references, unit: unitOf(model, row, background[0], scale) };
}

/** Return the unit whose slopes at both ends are farthest from its mean slope: inputs `from` and `to`, `slope`, `own` at the row. */
function unitOf(model, row, reference, scale) {
  const net = netOnScale(model, scale, [row, reference]);
  const values = stepValues(net, frontOfRows(net, model.columns, [reference, row]), 0, 2);
  let best = null;
  let [switched, units] = [0, 0];
  net.steps.forEach((step, i) => {
    if (net.isStraight[i] || !step.curve) return;
    for (let k = 0; k < step.width; k += 1) {
      const [from, to] = [values[step.from[0]][k], values[step.from[0]][step.width + k]];
      const [slope, own] = [meanSlope(step, from, to), meanSlope(step, to, to)];
      units += 1;
      switched += Number(from > 0 !== to > 0);
      const bend = Math.abs(to - from) * Math.min(Math.abs(slope - own), Math.abs(slope - meanSlope(step, from, from)));
      if (!best || bend > best.bend) best = { step, from, to, slope, own, bend };
    }
  });
  if (!best) return null;
  const { step, from, to, slope, own } = best;
  const reach = 1.4 * Math.max(Math.abs(from), Math.abs(to));
  const points = Array.from({ length: UNIT_POINTS }, (_, i) => reach * ((2 * i) / (UNIT_POINTS - 1) - 1));
  const curve = nonlinearity(step);
  return { op: step.op, from, to, slope, own, switched, units, curve: points.map((x) => [x, curve(x)]), ends: [curve(from), curve(to)] };
}
