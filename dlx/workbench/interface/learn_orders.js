// Shapley values: columns become known one after another, in one order, in another, and what each adds is averaged.

import { valueWords } from "./book.js";
import { addedIn, meanOfDraws, ordersOf } from "../engine/orders.js";
import { barsPart, byLine, endWords, growing, labelsOf, linePart, linesOf, ordinal, pictureOf } from "./learn_figure.js";

const ORDERS = 200;
const FEWER = 60; // where a server predicts
const DOTS = 50; // of single orders

export async function ordersDemo({ book, view, engine, background, predict, units, shown }) {
  const width = book.columns.length;
  const { draws, base, prediction } = await ordersOf(predict, view.row, background, { count: engine ? ORDERS : FEWER });
  const end = meanOfDraws(draws, width);
  const lines = linesOf(shown?.values ?? end.values);
  const [first] = draws;
  const labels = labelsOf(lines, book.columns);
  const counts = growing(draws.length, 2);
  const frames = first.order.length + 1 + counts.length;
  const added = draws.map((draw) => addedIn(draw, width));
  const reach = Math.max(1e-9, ...added.slice(0, DOTS).flatMap((one) => byLine(lines, one).map(Math.abs)));
  const ticks = byLine(lines, shown?.values);
  const outputs = draws.slice(0, DOTS).flatMap((draw) => draw.outputs);
  const ends = { low: Math.min(base, ...outputs), high: Math.max(base, ...outputs) };

  function oneOrder(known, wide) {
    const reference = first.outputs[0];
    const here = first.outputs[known];
    const isKnown = (i) => first.order.indexOf(i) < known;
    const values = byLine(lines, added[0].map((value, i) => (isKnown(i) ? value : 0)));
    const isIn = (i) => first.order.includes(i) && isKnown(i);
    const waits = [...lines.few.map((i) => !isIn(i)), !lines.rest.some(isIn)];
    const notes = lines.few.map((i) => (isIn(i) ? ordinal(first.order.indexOf(i) + 1) : ""));
    const marks = [[reference, `one training row ${units.at(reference)}`], [here, known ? `now ${units.at(here)}` : ""]];
    const bars = barsPart(wide, { labels, values: values.map((value, k) => (waits[k] ? null : value)), notes, reach, units });
    const column = known ? book.columns[first.order[known - 1]] : null;
    const words = column
      ? `“${column.label}” becomes known: ${valueWords(column, view.row[column.place])}. The answer goes from ${units.said(first.outputs[known - 1])} to ${units.said(here)}, so it adds ${units.add(here - first.outputs[known - 1])} in this order.`
      : `Take one of the ${background.length} people of the background; of this one ${view.model} says ${units.said(reference)}. Now the values of this ${book.target.person} become known one by one, in a random order${first.order.length < width ? `; ${width - first.order.length} columns are the same for both` : ""}.`;
    return { picture: pictureOf(wide, `Bars of what columns add in one order; ${known} of ${first.order.length} known`, [linePart(wide, { ...ends, marks }), bars]), words };
  }

  function manyOrders(count, wide) {
    const { values, errors } = meanOfDraws(draws.slice(0, count), width);
    const dots = added.slice(0, Math.min(count, DOTS)).map((one) => byLine(lines, one));
    const bars = barsPart(wide, { labels, values: byLine(lines, values), errors: byLine(lines, errors, true), shown: ticks, dots, reach, units });
    const marks = [[base, `background ${units.at(base)}`], [prediction, `prediction ${units.at(prediction)}`]];
    const isLast = count === draws.length;
    const about = `${count} orders, each from another row of the background. A dot is what a column added in one of them, the bar is the mean, the line two standard errors.`;
    const words = isLast ? `${about} That mean is the Shapley value.${endWords(values, errors, shown, units)}` : about;
    return { picture: pictureOf(wide, `Bars of the mean over ${count} orders, in ${units.unit}`, [linePart(wide, { ...ends, marks }), bars]), words };
  }

  const draw = (frame, wide) => (frame <= first.order.length ? oneOrder(frame, wide) : manyOrders(counts[frame - first.order.length - 1], wide));
  return { frames, name: "orders-of-columns", draw, end };
}
