// A neural additive model: nets of single dense columns and of pairs of columns, which add up. See dlx.architectures.additive.

import { readArray } from "./arrays.js";

/** Return a written additive net as a step of a net, which takes dense columns and gives one number. */
export function readAdditive(written) {
  const numbers = (name) => Float64Array.from(readArray(written[name]));
  const [inputs, pieces, units] = written.weight.shape;
  const step = { ...written, inputs, pieces, units, width: 1 };
  for (const name of ["knots", "weight", "offset", "pair_weight", "pair_offset", "head"]) step[name] = numbers(name);
  step.headOfPairs = inputs * (units + 1);
  [, step.count, step.slots] = written.pair_weight.shape; // slots: pieces of all dense columns of a pair's column
  return step;
}

/** Return the output of a row of dense columns. */
export function additiveOutput(step, dense) {
  let total = step.bias;
  for (let i = 0; i < step.inputs; i += 1) total += ofColumn(step, i, dense[i]);
  step.pairs.forEach((pair, k) => {
    total += joinedHalves(step, k, halfOf(step, k, 0, dense), halfOf(step, k, 1, dense));
  });
  return total;
}

/**
 * Return the exact Shapley values of the net's output, a column of the table each: what a column adds by itself less what it
 * adds to references on average, and of a pair the mean of what a column adds before and after the other.
 */
export function additiveShapleyValues(step, dense, references, columns) {
  const values = new Float64Array(columns);
  const share = 1 / references.length;
  for (const reference of references) {
    for (let i = 0; i < step.inputs; i += 1) {
      values[step.owner[i]] += share * (ofColumn(step, i, dense[i]) - ofColumn(step, i, reference[i]));
    }
    step.pairs.forEach(({ columns: [first, second] }, k) => {
      if (first === undefined) return;
      const [left, right] = [0, 1].map((side) => halfOf(step, k, side, dense));
      const [ourLeft, ourRight] = [0, 1].map((side) => halfOf(step, k, side, reference));
      const both = joinedHalves(step, k, left, right);
      const neither = joinedHalves(step, k, ourLeft, ourRight);
      const leftAlone = joinedHalves(step, k, left, ourRight);
      const rightAlone = joinedHalves(step, k, ourLeft, right);
      values[first] += (share * (both - rightAlone + leftAlone - neither)) / 2;
      values[second] += (share * (both - leftAlone + rightAlone - neither)) / 2;
    });
  }
  return values;
}

/** Return how much of a dense column's piece lies below a number, 0 to 1. */
function pieceBelow(step, column, piece, value) {
  const start = column * (step.pieces + 1) + piece;
  const length = step.knots[start + 1] - step.knots[start];
  return length > 0 ? Math.min(1, Math.max(0, (value - step.knots[start]) / length)) : 0;
}

function ofColumn(step, column, value) {
  const { pieces, units, knots, weight, offset, head } = step;
  const first = column * (pieces + 1);
  const hidden = offset.slice(column * units, (column + 1) * units);
  let cut = knots[first];
  for (let piece = 0; piece < pieces; piece += 1) {
    const below = pieceBelow(step, column, piece, value);
    cut += below * (knots[first + piece + 1] - knots[first + piece]);
    for (let u = 0; u < units && below !== 0; u += 1) hidden[u] += below * weight[(column * pieces + piece) * units + u];
  }
  let total = cut * head[column];
  for (let u = 0; u < units; u += 1) total += Math.max(0, hidden[u]) * head[step.inputs + column * units + u];
  return total;
}

/** Return what one column of a pair gives to the pair's hidden units. */
function halfOf(step, pair, side, dense) {
  const half = new Float64Array(step.units);
  step.pairs[pair].members[side].forEach((column, place) => {
    for (let piece = 0; piece < step.pieces; piece += 1) {
      const below = pieceBelow(step, column, piece, dense[column]);
      const from = ((side * step.count + pair) * step.slots + place * step.pieces + piece) * step.units;
      for (let u = 0; u < step.units && below !== 0; u += 1) half[u] += below * step.pair_weight[from + u];
    }
  });
  return half;
}

function joinedHalves(step, pair, left, right) {
  let total = 0;
  for (let u = 0; u < step.units; u += 1) {
    const hidden = left[u] + right[u] + step.pair_offset[pair * step.units + u];
    total += Math.max(0, hidden) * step.head[step.headOfPairs + pair * step.units + u];
  }
  return total;
}
