// A neural additive model: nets of single dense columns and of pairs of columns, which add up. See dlx.architectures.additive.
//
// A net reads a number by how much of each piece between knots lies below it. What hidden units are given is known at the
// knots, then, and lies on a line between two of them.

import { readArray } from "./arrays.js";

/** Return a written additive net as a step of a net, which takes dense columns and gives one number. */
export function readAdditive(written) {
  const numbers = (name) => Float64Array.from(readArray(written[name]));
  const [inputs, pieces, units] = written.weight.shape;
  const step = { ...written, inputs, pieces, units, width: 1, unit: new Float64Array(units) };
  for (const name of ["knots", "offset", "pair_offset", "head"]) step[name] = numbers(name);
  const [weight, pairWeight] = [numbers("weight"), numbers("pair_weight")];
  const [, count, slots] = written.pair_weight.shape; // slots: pieces of all dense columns of a pair's column
  step.single = Array.from({ length: inputs }, (_, i) => atKnots(step, i, weight, i * pieces * units));
  step.halves = written.pairs.map(({ members }, k) =>
    members.map((dense, side) =>
      dense.map((column, place) => ({ column, at: atKnots(step, column, pairWeight, ((side * count + k) * slots + place * pieces) * units) })),
    ),
  );
  step.headOfPairs = inputs * (units + 1);
  return step;
}

/** Return what a dense column's pieces up to each knot give hidden units, [pieces + 1, units]. */
function atKnots({ knots, pieces, units }, column, weight, from) {
  const sums = new Float64Array((pieces + 1) * units);
  for (let piece = 0; piece < pieces; piece += 1) {
    const start = column * (pieces + 1) + piece;
    const isPiece = knots[start + 1] > knots[start];
    for (let u = piece * units; u < (piece + 1) * units; u += 1) sums[u + units] = sums[u] + (isPiece ? weight[from + u] : 0);
  }
  return sums;
}

function addAt({ knots, pieces, units }, column, value, at, into, start) {
  const first = column * (pieces + 1);
  let piece = 0;
  while (piece < pieces - 1 && value >= knots[first + piece + 1]) piece += 1;
  const length = knots[first + piece + 1] - knots[first + piece];
  const share = length > 0 ? Math.min(1, Math.max(0, (value - knots[first + piece]) / length)) : 0;
  const from = piece * units;
  for (let u = 0; u < units; u += 1) into[start + u] += at[from + u] + share * (at[from + units + u] - at[from + u]);
}

/** Return what a row of dense columns makes of each: {alone [inputs], halves}, what a pair's columns give its hidden units. */
export function additiveParts(step, dense) {
  const { inputs, pieces, units, unit, knots, offset, head } = step;
  const alone = new Float64Array(inputs);
  for (let i = 0; i < inputs; i += 1) {
    for (let u = 0; u < units; u += 1) unit[u] = offset[i * units + u];
    addAt(step, i, dense[i], step.single[i], unit, 0);
    const [low, high] = [knots[i * (pieces + 1)], knots[i * (pieces + 1) + pieces]];
    alone[i] = Math.min(high, Math.max(low, dense[i])) * head[i];
    for (let u = 0; u < units; u += 1) if (unit[u] > 0) alone[i] += unit[u] * head[inputs + i * units + u];
  }
  const halves = [0, 1].map((side) => {
    const given = new Float64Array(step.halves.length * units);
    step.halves.forEach((pair, k) => pair[side].forEach(({ column, at }) => addAt(step, column, dense[column], at, given, k * units)));
    return given;
  });
  return { alone, halves };
}

/** Return what a pair adds, whose columns are those of a row and of another. */
function joined({ units, pair_offset: offset, head, headOfPairs }, k, { halves: [left] }, { halves: [, right] }) {
  let total = 0;
  for (let u = k * units; u < (k + 1) * units; u += 1) {
    const hidden = left[u] + right[u] + offset[u];
    if (hidden > 0) total += hidden * head[headOfPairs + u];
  }
  return total;
}

/** Return the output of a row of dense columns. */
export function additiveOutput(step, dense) {
  const parts = additiveParts(step, dense);
  return step.pairs.reduce((total, _, k) => total + joined(step, k, parts, parts), step.bias + parts.alone.reduce((sum, one) => sum + one));
}

/**
 * Return what columns of the table add to a reference's output when they are a row's, a slope times: {alone [columns], pairs},
 * by themselves, and beyond that in pairs {first, second, gains}, as first, second or both are (gains[1], [2], [3]).
 */
export function additiveGains(step, own, theirs, columns, slope) {
  const alone = new Float64Array(columns);
  own.alone.forEach((value, i) => {
    alone[step.owner[i]] += slope * (value - theirs.alone[i]);
  });
  const pairs = [];
  step.pairs.forEach(({ columns: [first, second] }, k) => {
    if (first === undefined) return;
    const neither = joined(step, k, theirs, theirs);
    const others = [joined(step, k, own, theirs), joined(step, k, theirs, own), joined(step, k, own, own)];
    pairs.push({ first, second, gains: [0, ...others.map((one) => slope * (one - neither))] });
  });
  return { alone, pairs };
}

/** Return a reference's exact Shapley values: what a column adds alone, and of a pair the mean of before and after the other. */
export function additiveShapleyValues({ alone, pairs }) {
  const values = alone.slice();
  for (const { first, second, gains } of pairs) {
    values[first] += (gains[3] - gains[2] + gains[1]) / 2;
    values[second] += (gains[3] - gains[1] + gains[2]) / 2;
  }
  return values;
}
