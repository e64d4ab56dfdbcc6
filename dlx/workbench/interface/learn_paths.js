// Gradient methods of a net: the path of integrated gradients, and the differences from a reference of DeepLIFT.

import { alongPaths, differencesFrom } from "../engine/paths.js";
import { digits, percent, svg } from "./dom.js";
import { barsPart, byLine, endWords, growing, labelsOf, linePart, linesOf, pictureOf, plotPart, polyline } from "./learn_figure.js";
import { breath } from "./parts.js";

export async function pathDemo({ book, view, engine, background, scale, units, shown }) {
  const { shares, outputs, values } = await alongPaths(engine, view.row, background, { scale, pause: breath() });
  const last = values.at(-1);
  const lines = linesOf(shown?.values ?? last);
  const labels = labelsOf(lines, book.columns);
  const reach = Math.max(1e-9, ...values.flatMap((one) => byLine(lines, one).map(Math.abs)));
  const [low, high] = [Math.min(...outputs), Math.max(...outputs)];

  function draw(frame, wide) {
    const share = shares[frame];
    const plot = plotPart(wide, 120, {
      from: 0,
      to: 1,
      low,
      high,
      ends: [units.at(low), units.at(high)],
      below: [[0, "background"], [1, `this ${book.target.person}`]],
      drawn: (x, y) => [
        polyline(shares.map((one, i) => [x(one), y(outputs[i])]), "curve-quiet"),
        polyline(shares.slice(0, frame + 1).map((one, i) => [x(one), y(outputs[i])]), "curve-now"),
        svg("circle", { cx: x(share), cy: y(outputs[frame]), r: 5, class: "point" }),
      ],
    });
    const bars = barsPart(wide, { labels, values: byLine(lines, values[frame]), shown: byLine(lines, shown?.values), reach, units });
    const way = `${percent(share)} of the way from the ${background.length} people of the background to this ${book.target.person}`;
    const sum = outputs[frame] - outputs[0];
    const words =
      frame === 0
        ? `Each of the ${background.length} people of the background is changed into this ${book.target.person} along a straight line, all columns at once. The curve is the mean of what ${view.model} says on the way. On it are mixtures that no person could be.`
        : frame < shares.length - 1
          ? `${way}: the answer moved by ${units.add(sum)}. At each point its slope along a column says how much of the move is that column's; the bars add it up.`
          : `The whole way: the bars add up to ${units.add(sum)}, the difference between the prediction and the mean of the background.${endWords(last, null, shown, units)}`;
    return { picture: pictureOf(wide, `A curve of answers along the path, and bars of what columns were given after ${percent(share)} of it`, [plot, bars]), words };
  }
  return { frames: shares.length, name: "path", draw, end: { values: last } };
}

export async function referencesDemo({ book, view, engine, background, scale, units, shown }) {
  const { prediction, references, unit } = await differencesFrom(engine, view.row, background, { scale, pause: breath() });
  const width = book.columns.length;
  const meanOf = (count) => Float64Array.from({ length: width }, (_, i) => references.slice(0, count).reduce((sum, one) => sum + one.values[i], 0) / count);
  const last = meanOf(references.length);
  const lines = linesOf(shown?.values ?? last);
  const labels = labelsOf(lines, book.columns);
  const counts = growing(references.length, 2);
  const reach = Math.max(1e-9, ...[1, ...counts].flatMap((count) => byLine(lines, meanOf(count)).map(Math.abs)));
  const outputs = [prediction, ...references.map((one) => one.output)];
  const ends = { low: Math.min(...outputs), high: Math.max(...outputs) };
  const [{ output: reference }] = references;
  const stages = ["question", ...(unit ? ["unit"] : []), ...[1, ...(references.length > 1 ? counts : [])]];

  function draw(frame, wide) {
    const stage = stages[frame];
    const marks = [[reference, `one training row ${units.at(reference)}`], [prediction, `this ${book.target.person} ${units.at(prediction)}`]];
    if (stage === "question") {
      const words = `Of one of the ${background.length} people of the background ${view.model} says ${units.said(reference)}, of this ${book.target.person} ${units.said(prediction)}. DeepLIFT shares out the difference, ${units.add(prediction - reference)}, among the columns in which they differ.`;
      return { picture: pictureOf(wide, "Two answers on a line", [linePart(wide, { ...ends, marks })]), words };
    }
    if (stage === "unit") return { picture: pictureOf(wide, "A unit of the net: its curve, and the line between both people", [unitPlot(wide, unit)]), words: unitWords(unit, book.target.person) };
    const values = meanOf(stage);
    const bars = barsPart(wide, { labels, values: byLine(lines, values), shown: byLine(lines, stage === references.length ? shown?.values : null), reach, units });
    const line = linePart(wide, { ...ends, marks: stage === 1 ? marks : [...references.slice(0, stage).map((one) => [one.output, "", "dot"]), [prediction, `this ${book.target.person} ${units.at(prediction)}`]] });
    const words =
      stage === 1
        ? `Multiplied back through the net, unit by unit, these mean slopes give each column its share of ${units.add(prediction - reference)}.`
        : `The mean over ${stage} people of the background.${stage === references.length ? endWords(last, null, shown, units) : ""}`;
    return { picture: pictureOf(wide, `Bars of the mean over ${stage} references`, [line, bars]), words };
  }
  return { frames: stages.length, name: "differences-from-references", draw, end: { values: last } };
}

function unitPlot(wide, { curve, from, to, ends, slope, own }) {
  const [first] = curve;
  const last = curve.at(-1);
  const heights = curve.map(([, y]) => y);
  const [low, high] = [Math.min(...heights), Math.max(...heights)];
  const tangent = (x) => ends[1] + own * (x - to);
  return plotPart(wide, 190, {
    from: first[0],
    to: last[0],
    low,
    high,
    ends: [digits(low || 0, 1), digits(high, 1)],
    below: [[from, "training row"], [to, "this one"]],
    drawn: (x, y) => [
      polyline(curve.map(([a, b]) => [x(a), y(b)]), "curve-quiet"),
      polyline([[x(from), y(ends[0])], [x(to), y(ends[1])]], "curve-now"),
      Math.abs(own - slope) > 1e-9 ? polyline([from, to].map((a) => [x(a), Math.min(170, Math.max(4, y(tangent(a))))]), "curve-dashed") : null,
      svg("circle", { cx: x(from), cy: y(ends[0]), r: 4.5, class: "point" }),
      svg("circle", { cx: x(to), cy: y(ends[1]), r: 4.5, class: "point" }),
    ],
  });
}

function unitWords({ from, to, slope, own, switched, units }, person) {
  return `A unit of the net. Its input is ${digits(from, 2)} for the training row and ${digits(to, 2)} for this ${person}. DeepLIFT takes the mean slope between the two, ${digits(slope, 2)} (the line), not the slope at this ${person}, ${digits(own, 2)} (dashed). ${switched} of ${units} units change sides so.`;
}
