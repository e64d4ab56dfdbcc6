// Whether somebody like this was ever seen: how far the nearest real person is, beside how far real people are from each other.

import { digits } from "./dom.js";
import { isBeside } from "./form.js";

const MOST_SEEN = 2_000; // people among whom the nearest is looked for
const MOST_ASKED = 150; // people of whom it is known how far their own nearest is
const USUAL = 0.99; // of them

/**
 * Gower's distance (1971) of two rows, as `dlx.background.gower`: the mean over columns of the difference as a share of the
 * training rows' range, 1 for another level, or in a column without a range; where that is more than `most`, just that it is.
 */
export function gower(columns, one, other, most = Infinity) {
  let total = 0;
  for (let i = 0; i < columns.length && total <= most * columns.length; i += 1) {
    const [column, a, b] = [columns[i], one[i], other[i]];
    if (Object.is(a, b)) continue;
    const isNumber = column.high > column.low && !isBeside(column, a) && !isBeside(column, b);
    total += isNumber ? Math.abs(a - b) / (column.high - column.low) : 1;
  }
  return total / columns.length;
}

const LIMITS = new WeakMap();

/** Return the rows in which the nearest is looked for: those of people, and those that they are compared with. */
function seenRows({ people, background }) {
  const every = Math.max(1, Math.ceil(people.rows.length / MOST_SEEN));
  return [...background, ...people.rows.filter((_, i) => i % every === 0)];
}

function nearest(columns, row, rows) {
  return rows.reduce((least, one) => (one === row ? least : Math.min(least, gower(columns, row, one, least))), Infinity);
}

function usualDistance(book, rows) {
  if (!LIMITS.has(book)) {
    const every = Math.max(1, Math.floor(rows.length / MOST_ASKED));
    const asked = rows.filter((_, i) => i % every === 0).map((row) => nearest(book.columns, row, rows));
    LIMITS.set(book, asked.sort((a, b) => a - b)[Math.ceil(USUAL * asked.length) - 1]);
  }
  return LIMITS.get(book);
}

/** Say in what nobody is like a changed row: beyond the training rows in a column, or far from everybody in all; "" else. */
export function unlikeAnybody(book, row) {
  const { columns } = book;
  const isBeyond = (column, code) => column.kind !== "categorical" && !isBeside(column, code) && (code < column.low || code > column.high);
  const beyond = columns.filter((column) => isBeyond(column, row[column.place])).map((column) => `“${column.label}”`);
  if (beyond.length) return `Unlike anybody seen: no training row has such a ${beyond.join(", ")}.`;
  const rows = seenRows(book);
  const [own, usual] = [nearest(columns, row, rows), usualDistance(book, rows)];
  if (!(own > usual)) return "";
  const share = (number) => `${digits(100 * number, 0)} %`;
  return `Unlike anybody seen: the nearest of ${rows.length} real people is ${share(own)} of the columns' ranges away, on average over columns (Gower's distance); of 99 in 100 of them the nearest is within ${share(usual)}.`;
}
