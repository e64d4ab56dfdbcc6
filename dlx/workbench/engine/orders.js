// How two methods get their answer, from what a model answers alone: Shapley values, from columns that become known one after
// another in many orders; partial dependence, from everybody with another value in one column.

import { differing } from "./mixtures.js";
import { meanOf } from "./products.js";
import { randomNumbers, shuffle } from "./random.js";

/**
 * Return what columns add in random orders, {draws, base, prediction}; `predict(rows)` gives a promise of the outputs.
 *
 * A draw is {reference, order, outputs}: the columns in which the row differs from a reference in the order in which they
 * become known, and the outputs before the first and after each. References take turns, so that each plays as often.
 */
export async function ordersOf(predict, row, background, { count, seed = 0 }) {
  const random = randomNumbers(seed);
  const turns = [];
  while (turns.length < count) turns.push(...shuffle([...background.keys()], random));
  const draws = turns.slice(0, count).map((reference) => ({ reference, order: shuffle(differing(row, background[reference]), random) }));
  const mixed = draws.flatMap(({ reference, order }) => alongOrder(row, background[reference], order));
  const [prediction, ...outputs] = await predict([row, ...background, ...mixed]);
  let next = background.length;
  for (const draw of draws) {
    const within = Math.max(0, draw.order.length - 1);
    const start = outputs[draw.reference];
    draw.outputs = draw.order.length ? [start, ...outputs.slice(next, next + within), prediction] : [prediction];
    next += within;
  }
  const base = meanOf(outputs.slice(0, background.length));
  return { draws, base, prediction };
}

/** Return the rows between a reference and a row: one column more is known in each. */
function alongOrder(row, reference, order) {
  const here = Float64Array.from(reference);
  return order.slice(0, -1).map((column) => {
    here[column] = row[column];
    return here.slice();
  });
}

/** Return what a draw's columns add, a number a column of the table: 0 where the row and the reference are alike. */
export function addedIn({ order, outputs }, width) {
  const added = new Float64Array(width);
  order.forEach((column, place) => {
    added[column] = outputs[place + 1] - outputs[place];
  });
  return added;
}

/** Return the mean over some draws and its standard errors, {values, errors}; errors are null of one draw. */
export function meanOfDraws(draws, width) {
  const values = new Float64Array(width);
  const squares = new Float64Array(width); // of distances from the mean
  draws.forEach((draw, turn) => {
    addedIn(draw, width).forEach((added, column) => {
      const off = added - values[column];
      values[column] += off / (turn + 1);
      squares[column] += off * (added - values[column]);
    });
  });
  const count = draws.length;
  return { values, errors: count > 1 ? squares.map((square) => Math.sqrt(square / (count - 1) / count)) : null };
}

/**
 * Return outputs as one column is set to each value of a grid, {own, people, mean}: of the row itself, of some people
 * [people][grid], and their mean, which is the partial dependence (Friedman 2001).
 */
export async function everybodySetTo(predict, row, people, column, grid) {
  const rows = [row, ...people].flatMap((one) =>
    grid.map((value) => {
      const other = Float64Array.from(one);
      other[column] = value;
      return other;
    }),
  );
  const outputs = await predict(rows);
  const [own, ...curves] = [row, ...people].map((_, i) => outputs.slice(i * grid.length, (i + 1) * grid.length));
  const mean = grid.map((_, k) => curves.reduce((sum, curve) => sum + curve[k], 0) / curves.length);
  return { own, people: curves, mean };
}
