// Bars of risk, contributions as a waterfall, all methods on one axis, and where somebody stands.

import { digits, h, percent, signed, svg } from "./dom.js";
import { valueWords } from "./book.js";

const MARKS = ["●", "■", "◆", "▲", "▼", "✚", "✖", "★", "⬢"];
const SHOWN = 9;

/** One bar a model: [{name, colour, now, before, shown, failed}], with the line, or both ends of a range. */
export function riskBars(lines, ends, at, words) {
  return h(
    "div",
    { class: "risks", "data-figure": "risks" },
    lines.map((line) =>
      h(
        "div",
        { class: `risk${line.shown ? " shown" : ""}` },
        h("span", { class: "name" }, line.name),
        h(
          "span",
          { class: "track", "aria-hidden": "true" },
          line.now === null ? null : h("span", { class: "bar", style: `width:${at(line.now)}%;background:${line.colour}` }),
          line.before === null ? null : h("span", { class: "before", style: `left:${at(line.before)}%` }),
          ends.map((end) => h("span", { class: "line", style: `left:${at(end)}%` })),
        ),
        h("span", { class: "number", title: line.now === null ? line.failed : null }, line.now === null ? "cannot say" : words(line)),
      ),
    ),
  );
}

/** The columns in one order for all methods: by their mean share of what the methods give. */
export function orderOf(all, width) {
  const share = new Float64Array(width);
  for (const values of all) {
    const total = values.reduce((sum, value) => sum + Math.abs(value), 0) || 1;
    values.forEach((value, i) => (share[i] += Math.abs(value) / total));
  }
  return Array.from(share.keys()).sort((a, b) => share[b] - share[a] || a - b);
}

/** From the base value to the prediction: {values, errors, base, output}. Bars keep their places when the method changes. */
export function waterfall(columns, row, one, order, number) {
  const few = order.length > SHOWN + 1 ? order.slice(0, SHOWN) : order;
  const rest = order.slice(few.length);
  const lines = few.map((i) => ({
    label: columns[i].label,
    value: valueWords(columns[i], row[i]),
    size: one.values[i],
    error: one.errors ? one.errors[i] : 0,
  }));
  if (rest.length) {
    const size = rest.reduce((sum, i) => sum + one.values[i], 0);
    const error = one.errors ? Math.sqrt(rest.reduce((sum, i) => sum + one.errors[i] ** 2, 0)) : 0;
    lines.push({ label: `${rest.length} other columns`, value: "", size, error });
  }
  let at = one.base;
  const spans = lines.map((line) => [at, (at += line.size)]);
  const ends = [one.base, one.output, ...spans.flat()];
  const low = Math.min(...ends);
  const high = Math.max(...ends);
  const place = (value) => (100 * (value - low)) / (high - low || 1);
  const bars = lines.map((line, i) => {
    const [from, to] = spans[i];
    const left = place(Math.min(from, to));
    const wide = Math.max(0.4, place(Math.max(from, to)) - left);
    const noise = 2 * line.error * (100 / (high - low || 1));
    return h(
      "tr",
      { class: line.size >= 0 ? "raises" : "lowers" },
      h("th", { scope: "row" }, line.label, line.value ? h("span", { class: "value" }, line.value) : null),
      h(
        "td",
        { class: "span" },
        h(
          "span",
          { class: "track" },
          h("span", { class: "bar", style: `left:${left}%;width:${wide}%` }),
          noise > 0.3 ? h("span", { class: "noise", style: `left:${place(to) - noise}%;width:${2 * noise}%` }) : null,
        ),
      ),
      h("td", { class: "number" }, number(line.size)),
    );
  });
  const edge = (words, value) =>
    h(
      "tr",
      { class: "edge" },
      h("th", { scope: "row" }, words),
      h("td", { class: "span" }, h("span", { class: "track" }, h("span", { class: "point", style: `left:${place(value)}%` }))),
      h("td", { class: "number" }, one.shown(value)),
    );
  return h(
    "table",
    { class: "waterfall", "data-figure": "contributions" },
    h("caption", {}, one.caption),
    h("tbody", {}, edge("Starts from", one.base), bars, edge("Prediction", one.output)),
  );
}

/** What each method gives for the same columns, on one axis. */
export function methodsOnOneAxis(columns, row, all, order) {
  const few = order.slice(0, SHOWN);
  const most = Math.max(1e-12, ...all.flatMap((one) => few.map((i) => Math.abs(one.values[i]))));
  const high = 26;
  const [left, wide] = [6, 388];
  const x = (value) => left + (wide / 2) * (1 + value / most);
  const lines = few.map((i, line) => {
    const y = (line + 0.5) * high;
    const marks = all.map((one, k) => {
      const said = `${one.label}: ${columns[i].label} ${signed(one.values[i])}`;
      return svg("text", { x: x(one.values[i]), y: y + 5, class: `mark m${k % 9}`, "text-anchor": "middle" }, MARKS[k % 9], svg("title", {}, said));
    });
    return svg("g", {}, svg("line", { x1: left, x2: left + wide, y1: y, y2: y, class: "grid" }), marks);
  });
  const picture = svg(
    "svg",
    { viewBox: `0 0 400 ${high * few.length}`, role: "img", "aria-label": "Contributions by each method; the table beside says one of them in numbers" },
    svg("line", { x1: x(0), x2: x(0), y1: 0, y2: high * few.length, class: "axis" }),
    lines,
  );
  const labels = few.map((i) => h("li", { title: valueWords(columns[i], row[i]) }, columns[i].label));
  const key = all.map((one, k) => h("li", {}, h("span", { class: `mark m${k % 9}`, "aria-hidden": "true" }, MARKS[k % 9]), ` ${one.label}`));
  return h("div", { class: "methods", "data-figure": "methods-on-one-axis" }, h("div", { class: "axis-and-labels" }, h("ul", {}, labels), picture), h("ul", { class: "key" }, key));
}

/** Where a value lies among the training rows. */
export function spread(column, code) {
  const counts = column.counts;
  const most = Math.max(1, ...counts);
  const isNumber = column.kind !== "categorical";
  const [low, high] = isNumber ? [column.low, column.high] : [-0.5, counts.length - 0.5];
  const wide = 100 / Math.max(1, counts.length);
  const bars = counts.map((count, i) =>
    svg("rect", {
      x: i * wide,
      width: Math.max(0.2, wide - 0.6),
      y: 20 - (19 * count) / most,
      height: (19 * count) / most,
      class: !isNumber && i === code ? "own" : null,
    }),
  );
  const at = (100 * (code - low)) / (high - low || 1);
  const here = isNumber && at >= -1 && at <= 101 && svg("line", { x1: at, x2: at, y1: 0, y2: 20, class: "here" });
  return svg("svg", { viewBox: "0 0 100 20", preserveAspectRatio: "none", class: "spread", "aria-hidden": "true" }, bars, here || null);
}

/** Draw answers over a column's spread: a line of numbers, a step a level. */
export function drawCurve(picture, risks, at, isSteps) {
  const wide = 100 / risks.length;
  const y = (risk) => 20 - at(risk) / 5;
  const points = isSteps ? risks.flatMap((risk, i) => [[i * wide, y(risk)], [(i + 1) * wide, y(risk)]]) : risks.map((risk, i) => [(100 * i) / (risks.length - 1), y(risk)]);
  picture.append(svg("polyline", { points: points.map((point) => point.map((x) => x.toFixed(2)).join(",")).join(" "), class: "curve" }));
}

export function intervalWords(share, low, high) {
  return `${percent(share)} (${digits(100 * low, 0)} to ${digits(100 * high, 0)})`;
}
