// LIME: random people around the background, near ones counting most, and a line fitted to what the model says of them.

import { cloudAround, fitOf, kernelAt } from "../engine/cloud.js";
import { percent, svg } from "./dom.js";
import { barsPart, byLine, endWords, labelsOf, linesOf, pictureOf, plotPart, polyline } from "./learn_figure.js";

const [CLOUD, SMALLER] = [5_000, 2_000]; // random people; fewer where a server predicts
const DRAWN = 250;

export async function cloudDemo({ book, view, engine, background, predict, units, shown }) {
  const columns = book.columns.map((column) => ({ levels: column.kind === "categorical" ? column.levels.length : 0, special: column.special.map(([code]) => code) }));
  const count = engine ? CLOUD : SMALLER;
  const cloud = await cloudAround(predict, columns, view.row, background, { count });
  const size = columns.length;
  const stages = [
    { kind: "person" },
    { kind: "cloud" },
    { kind: "kernel" },
    { count: 100, width: 1 },
    { count: Math.min(1_000, count), width: 1 },
    { count, width: 0.5 },
    { count, width: 2 },
    { count, width: 1 },
  ];
  for (const stage of stages) if (stage.count) stage.fit = fitOf(cloud, stage.count, stage.width);
  const { fit: last } = stages.at(-1);
  const lines = linesOf(shown?.values ?? last.values);
  const labels = labelsOf(lines, book.columns);
  const reach = Math.max(1e-9, ...stages.filter((one) => one.count > 100).flatMap(({ fit }) => byLine(lines, fit.values).map(Math.abs)));
  const some = cloud.outputs.slice(0, DRAWN);
  const [low, high] = [Math.min(...some), Math.max(...some)];

  function plot(stage, wide) {
    const width = stage.width ?? 1;
    return plotPart(wide, 170, {
      from: -0.5,
      to: size + 0.5,
      low,
      high,
      ends: [units.at(low), units.at(high)],
      below: [[0, "like this one"], [size, `unlike in all ${size} columns`]],
      drawn: (x, y) => {
        const spot = (absent, i) => x(absent + (i === 0 ? 0 : ((i * 0.618) % 1) * 0.7 - 0.35));
        const radius = (absent) => (stage.kind === "cloud" ? 2.2 : 0.8 + 3.2 * kernelAt(absent, size, width));
        const people = stage.kind === "person" ? [] : some.slice(1).map((output, i) => svg("circle", { cx: spot(cloud.absent[i + 1], i + 1), cy: y(output), r: radius(cloud.absent[i + 1]), class: "person-dot" }));
        const steps = Array.from({ length: 4 * size + 1 }, (_, i) => i / 4);
        const kernel = ["person", "cloud"].includes(stage.kind) ? null : polyline(steps.map((one) => [x(one), y(low + (high - low) * kernelAt(one, size, width))]), "curve-kernel");
        return [kernel, people, stage.fit ? polyline(lineOf(stage, x, y), "curve-now") : null, svg("circle", { cx: x(0), cy: y(cloud.outputs[0]), r: 5, class: "point" })];
      },
    });
  }

  /** The line's mean answer by how many columns differ: the fit as far as the plot can show it. */
  function lineOf({ fit }, x, y) {
    const sums = new Map();
    fit.fitted.forEach((answer, i) => {
      const [total, n] = sums.get(cloud.absent[i]) ?? [0, 0];
      sums.set(cloud.absent[i], [total + answer, n + 1]);
    });
    const points = Array.from(sums, ([absent, [total, n]]) => [absent, total / n]).sort(([a], [b]) => a - b);
    return points.map(([absent, answer]) => [x(absent), y(Math.min(high, Math.max(low, answer)))]);
  }

  function draw(frame, wide) {
    const stage = stages[frame];
    const parts = [plot(stage, wide)];
    const isLast = frame === stages.length - 1;
    if (stage.fit) {
      const { values, errors } = stage.fit;
      parts.push(barsPart(wide, { labels, values: byLine(lines, values), errors: byLine(lines, errors, true), shown: isLast ? byLine(lines, shown?.values) : null, reach, units }));
    }
    return { picture: pictureOf(wide, "Random people by how unlike this one they are and what the model says of them", parts), words: wordsOf(stage, isLast) };
  }

  function wordsOf(stage, isLast) {
    if (stage.kind === "person") return `${view.model} says ${units.said(cloud.outputs[0])} of this ${book.target.person}. LIME asks it about random people, too.`;
    if (stage.kind === "cloud") return `${(count - 1).toLocaleString("en-US")} random people (${DRAWN - 1} are drawn here): each column is drawn by itself, as often as the background has it, so that many of them could not exist.`;
    if (stage.kind === "kernel") return `The more columns differ, the less a random person counts: the curve says how much. This kernel width was chosen by lime's authors; nobody knows which is right. The nearest of these random people differs in ${Math.min(...cloud.absent.slice(1))} of ${size} columns.`;
    const fit = `a linear model, fitted to ${stage.count.toLocaleString("en-US")} random people, explains ${percent(stage.fit.r2)} of how the answers about them vary`;
    if (stage.width !== 1) return `With a kernel ${stage.width < 1 ? "half" : "twice"} as wide, ${fit}. The bars are other ones: the width is part of the question.`;
    if (!isLast) return `Now the fit: ${fit}. The thick line is its mean answer by how many columns differ; the bars are its weights, as differences from the background, with two standard errors.`;
    return `With lime's own width, ${fit}.${endWords(stage.fit.values, stage.fit.errors, shown, units)}`;
  }
  return { frames: stages.length, name: "cloud-of-lime", draw, end: last };
}
