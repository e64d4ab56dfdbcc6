// Partial dependence: everybody is given the same value in one column, then the next, and the answers are averaged.

import { valueWords } from "./book.js";
import { everybodySetTo } from "../engine/orders.js";
import { choice, h, svg } from "./dom.js";
import { pictureOf, plotPart, polyline } from "./learn_figure.js";

const GRID_POINTS = 13; // values of a number
const MOST_CURVES = 100; // people

export async function everybodyDemo({ book, view, background, predict, units, order }) {
  const people = background.slice(0, MOST_CURVES);
  let column = book.columns[order?.[0] ?? 0];
  const made = await curvesOf(column);
  const demo = { frames: made.grid.length, name: "everybody-set-to-a-value", draw: (frame, wide) => draw(made, frame, wide), end: made };
  demo.extra = h("div", { class: "choices" }, choice("Column", book.columns.map((one) => ({ value: one.name, words: one.label })), column.name, change));

  async function curvesOf(one) {
    const steps = Array.from({ length: GRID_POINTS }, (_, i) => Number((one.low + ((one.high - one.low) * i) / (GRID_POINTS - 1)).toFixed(one.decimals)));
    const grid = one.kind === "categorical" ? one.levels.map((_, level) => level) : [...new Set(steps)];
    return { column: one, grid, ...(await everybodySetTo(predict, view.row, people, one.place, grid)) };
  }

  async function change(name) {
    column = book.columns.find((one) => one.name === name);
    const next = await curvesOf(column);
    Object.assign(demo, { frames: next.grid.length, end: next, draw: (frame, wide) => draw(next, Math.min(frame, next.grid.length - 1), wide) });
    demo.redraw();
  }

  function draw({ column: one, grid, own, people: curves, mean }, frame, wide) {
    const all = [...own, ...curves.flatMap((curve) => [...curve])];
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const isLevels = one.kind === "categorical";
    const [from, to] = isLevels ? [-0.5, grid.length - 0.5] : [grid[0], grid.at(-1)];
    const upTo = (values) => Array.from(values).slice(0, frame + 1);
    const plot = plotPart(wide, 220, {
      from,
      to,
      low,
      high,
      ends: [units.at(low), units.at(high)],
      below: isLevels ? [[grid[frame], valueWords(one, grid[frame])]] : [[grid[0], valueWords(one, grid[0])], [grid.at(-1), valueWords(one, grid.at(-1))]],
      drawn: (x, y) => {
        const points = (values) => upTo(values).map((value, i) => [x(grid[i]), y(value)]);
        const lineOrDots = (values, kind, radius) => (isLevels ? points(values).map(([a, b]) => svg("circle", { cx: a, cy: b, r: radius, class: `${kind}-dots` })) : polyline(points(values), kind));
        const atMean = isLevels ? points(mean).map(([a, b]) => svg("line", { x1: a - 12, x2: a + 12, y1: b, y2: b, class: "curve-now" })) : polyline(points(mean), "curve-now");
        const here = x(grid[frame]);
        return [svg("line", { x1: here, x2: here, y1: y(low), y2: y(high), class: "here-line" }), curves.map((curve) => lineOrDots(curve, "curve-thin", 1.6)), lineOrDots(own, "curve-own", 4), atMean];
      },
    });
    const spread = curves.map((curve) => curve[frame]);
    const value = valueWords(one, grid[frame]);
    const everybody = `All ${people.length} people of the background are given “${one.label}” = ${value}, all else as it is: ${view.model} says ${units.said(mean[frame])} on average (thick), from ${units.said(Math.min(...spread))} to ${units.said(Math.max(...spread))} (thin), and ${units.said(own[frame])} of this ${book.target.person} (coloured).`;
    const isLast = frame === grid.length - 1;
    const words = isLast ? `${everybody} Thick is the partial dependence, coloured this ${book.target.person}'s ICE. Some of these people could not exist.` : everybody;
    return { picture: pictureOf(wide, `Answers about everybody as “${one.label}” is set to ${frame + 1} of ${grid.length} values`, [plot]), words };
  }
  return demo;
}
