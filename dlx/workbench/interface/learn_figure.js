// Pictures of how a method gets its answer, in parts: bars of columns, a plot above them; all in one SVG.

import { svg } from "./dom.js";

const LINE = 22; // height of a column's line
const ROOF = 14; // above them
const OWN_LINES = 10; // columns of their own; the others are one line
const KEPT = 1e-4; // of the largest contribution: how closely a page keeps them
const LETTER = 7; // width of a letter of a label

/** Return which columns have a line, the largest first, and which share the last: {few, rest}. */
export function linesOf(values) {
  const order = Array.from(values.keys()).sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b);
  return order.length > OWN_LINES + 1 ? { few: order.slice(0, OWN_LINES), rest: order.slice(OWN_LINES) } : { few: order, rest: [] };
}

/** Return numbers of columns as numbers of lines: the last is the sum of the rest, of errors the root of the sum of squares. */
export function byLine({ few, rest }, numbers, areErrors = false) {
  if (!numbers) return null;
  const last = areErrors ? Math.sqrt(rest.reduce((sum, i) => sum + numbers[i] ** 2, 0)) : rest.reduce((sum, i) => sum + numbers[i], 0);
  return [...few.map((i) => numbers[i]), ...(rest.length ? [last] : [])];
}

export function labelsOf({ few, rest }, columns) {
  return [...few.map((i) => columns[i].label), ...(rest.length ? [`${rest.length} other columns`] : [])];
}

/** Return a picture of parts one below another, each {high, parts}; `said` is its text for those who do not see it. */
export function pictureOf(wide, said, parts) {
  let at = 0;
  const placed = parts.map(({ high, drawn }) => {
    const group = svg("g", { transform: `translate(0 ${at})` }, drawn);
    at += high;
    return group;
  });
  return svg("svg", { viewBox: `0 0 ${wide} ${at}`, width: wide, height: at, class: "steps-picture", role: "img", "aria-label": said }, placed);
}

/**
 * Return bars, a line a column: {labels, values, errors, shown, notes, dots, reach, units} by line.
 *
 * `errors` are standard errors, drawn as two of them; `shown` is where the method's own value stands, a tick; `dots` are single
 * draws; `notes` stand before the labels; `reach` is the largest number that the axis holds, `units` how
 * numbers are written.
 */
export function barsPart(wide, { labels, values, errors = null, shown = null, notes = null, dots = [], reach, units }) {
  const left = Math.min(210, Math.round(0.38 * wide));
  const [numbers, end] = [54, wide - 56];
  const x = (value) => left + ((end - left) / 2) * (1 + Math.max(-1, Math.min(1, value / reach)));
  const high = ROOF + LINE * labels.length;
  const lines = labels.map((label, line) => {
    const middle = ROOF + (line + 0.5) * LINE;
    const value = values[line];
    const note = notes?.[line] ?? "";
    const room = Math.floor((left - 10) / LETTER) - (note ? note.length + 1 : 0);
    const text = label.length > room ? `${label.slice(0, Math.max(1, room - 1))}…` : label;
    const error = errors?.[line] ?? 0;
    return svg(
      "g",
      { class: value === null ? "waits" : value >= 0 ? "raises" : "lowers" },
      svg("line", { x1: left, x2: end, y1: middle, y2: middle, class: "grid" }),
      svg("text", { x: left - 8, y: middle + 4, "text-anchor": "end", class: "label" }, note ? svg("tspan", { class: "note" }, `${note} `) : null, text, svg("title", {}, label)),
      value === null ? null : svg("rect", { x: Math.min(x(0), x(value)), width: Math.max(1, Math.abs(x(value) - x(0))), y: middle - 5, height: 10, class: "bar" }),
      dots.map((one) => svg("circle", { cx: x(one[line]), cy: middle, r: 1.6, class: "dot" })),
      error > 0 ? svg("line", { x1: x(value - 2 * error), x2: x(value + 2 * error), y1: middle, y2: middle, class: "error" }) : null,
      shown ? svg("line", { x1: x(shown[line]), x2: x(shown[line]), y1: middle - 9, y2: middle + 9, class: "tick" }) : null,
      svg("text", { x: end + numbers, y: middle + 4, "text-anchor": "end", class: "number" }, value === null ? "" : units.add(value)),
    );
  });
  const axis = svg("line", { x1: x(0), x2: x(0), y1: ROOF, y2: high, class: "axis" });
  const unit = svg("text", { x: end + numbers, y: 11, "text-anchor": "end", class: "note" }, units.unit);
  return { high: high + 4, drawn: [unit, axis, lines] };
}

/** Return a plot of some height: {drawn(x, y)} draws into it, x from `from` to `to`, y from `low` to `high`; words at its axes. */
export function plotPart(wide, high, { from, to, low, high: top, below, ends, drawn }) {
  const [left, right, roof, floor] = [54, wide - 12, 10, high - 30];
  const x = (value) => left + ((right - left) * (value - from)) / (to - from || 1);
  const y = (value) => floor - ((floor - roof) * (value - low)) / (top - low || 1);
  return {
    high: high + 6,
    drawn: [
      svg("line", { x1: left, x2: right, y1: floor, y2: floor, class: "axis" }),
      svg("line", { x1: left, x2: left, y1: roof, y2: floor, class: "axis" }),
      svg("text", { x: left - 6, y: roof + 8, "text-anchor": "end", class: "number" }, ends[1]),
      svg("text", { x: left - 6, y: floor, "text-anchor": "end", class: "number" }, ends[0]),
      below.map(([value, text]) => svg("text", { x: x(value), y: floor + 16, "text-anchor": anchorAt(x(value), wide), class: "label" }, text)),
      drawn(x, y),
    ],
  };
}

/** Return a line on which answers stand: marks are [value, words], named above in turn with below. */
export function linePart(wide, { low, high, marks }) {
  const [left, right, middle] = [54, wide - 56, 26];
  const x = (value) => left + ((right - left) * (value - low)) / (high - low || 1);
  const drawn = marks.map(([value, words, kind], i) => {
    const side = i % 2 ? middle + 20 : middle - 10;
    return [svg("circle", { cx: x(value), cy: middle, r: 4.5, class: kind ?? "point" }), svg("text", { x: x(value), y: side, "text-anchor": anchorAt(x(value), wide), class: "label" }, words)];
  });
  return { high: 56, drawn: [svg("line", { x1: left, x2: right, y1: middle, y2: middle, class: "axis" }), drawn] };
}

function anchorAt(x, wide) {
  return x < wide * 0.3 ? "start" : x > wide * 0.7 ? "end" : "middle";
}

export function polyline(points, kind) {
  return svg("polyline", { points: points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "), class: kind });
}

/** Say how what was averaged or added up compares with the values that the method shows. */
export function endWords(values, errors, shown, units) {
  if (!shown) return "";
  const gaps = Array.from(values, (value, i) => Math.abs(value - shown.values[i]));
  const most = Math.max(...gaps);
  const largest = units.add(most).slice(1);
  if (shown.isRandom) return ` ${shown.label} draws points of these paths at random: its values, the ticks, are up to ${largest} from here.`;
  const whose = shown.isOwn ? "the values shown above" : "this method's values in the page";
  if (!errors) return ` The ticks are ${whose}: the largest difference is ${largest}.`;
  const kept = KEPT * Math.max(...shown.values.map(Math.abs));
  const inside = gaps.filter((gap, i) => gap <= 2 * errors[i] + kept).length;
  return ` The ticks are ${whose}: ${inside} of ${gaps.length} columns are within two standard errors of them, the largest difference is ${largest}.`;
}

/** How many of some things are shown at a step: 1, 2, 3, 5, 10, 20, 50, ... and all. */
export function growing(count, first = 1) {
  const steps = [1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000].filter((step) => step >= first && step < count);
  return [...steps, count];
}

export function ordinal(number) {
  const tens = number % 100;
  const ending = tens > 10 && tens < 14 ? "th" : (["th", "st", "nd", "rd"][number % 10] ?? "th");
  return `${number}${ending}`;
}
