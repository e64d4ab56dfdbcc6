// Beside each plot: what it says here, and what it does not (people trust such plots too much: Kaur et al. 2020).

import { digits, h, percent, signed } from "./dom.js";

/** Return how numbers of a scale are written: {unit, add, at, said}, of contributions, of answers, and of answers in a sentence. */
export function unitsOf(book, scale) {
  const number = (value) => signed(value);
  const share = (value) => percent(value);
  const roughly = (risk) => (risk < 0.005 ? "under 1 %" : risk > 0.995 ? "over 99 %" : percent(risk));
  const withShare = (value) => `${signed(value)} (${roughly(1 / (1 + Math.exp(-value)))})`;
  if (scale === "probability") return { unit: "percentage points", add: (value) => signed(100 * value, 1), at: share, said: share };
  if (scale === "logit") return { unit: "log-odds", add: number, at: number, said: withShare };
  return { unit: book.target.unit || "its unit", add: number, at: (value) => digits(value, book.decimals), said: book.says };
}

/** Return a sentence of what a plot shows and one of what it does not say. */
export function saysOnly(shows, not) {
  return h("p", { class: "says" }, `Shows ${shows}. `, h("span", { class: "not" }, `It does not say ${not}.`));
}

const outcomeOf = ({ isValue, target }) => (isValue ? `what “${target.label}” of this ${target.person} is` : `whether this ${target.person} has ${target.event}`);

export function saysOfRisks(book, view) {
  const known = view.answers.filter((one) => one.answer !== null);
  if (!known.length) return null;
  const all = known.map((one) => one.answer);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const { says, isFlagged } = view.line;
  const range = says(low) === says(high) ? says(low) : `from ${says(low)} to ${says(high)}`;
  const above = all.filter(isFlagged).length;
  const sides = above === 0 ? "below" : above === all.length ? "above" : "on both sides of";
  const line = book.isValue ? "" : `, ${all.length > 1 && sides !== "on both sides of" ? "all " : ""}${sides} the threshold of ${percent(view.threshold)}`;
  const who = all.length > 1 ? `what ${all.length} models predict, ${range}` : `what ${known[0].name} predicts, ${range}`;
  return saysOnly(`${who}${line}`, `${all.length > 1 ? "which of them is right, or " : ""}${outcomeOf(book)}`);
}

/** Of one method's contributions: the largest one, and whether it is the largest beyond noise. */
export function saysOfContributions(book, view, found, against) {
  const { unit, add } = unitsOf(book, found.scale);
  const order = Array.from(found.values.keys()).sort((a, b) => Math.abs(found.values[b]) - Math.abs(found.values[a]));
  const [first, second] = order;
  const size = (i) => Math.abs(found.values[i]);
  const isNoise = found.errors && second !== undefined && size(first) - size(second) <= 2 * Math.hypot(found.errors[first], found.errors[second]);
  if (!size(first)) return saysOnly(`that no column moves this prediction of ${view.model} against ${against}`, `that nothing would change ${outcomeOf(book)}`);
  const label = `“${book.columns[first].label}”`;
  const beside = isNoise ? `, within noise of “${book.columns[second].label}”` : "";
  return saysOnly(
    `that ${label} moves this prediction of ${view.model} most: ${add(found.values[first])} ${unit} against ${against}${beside}`,
    `that changing ${label} would change ${outcomeOf(book)}`,
  );
}

/** Of all methods on one axis: which column each puts first, and about which they are furthest apart. */
export function saysOfMethods(book, all, number) {
  const firstOf = ({ values }) => values.reduce((best, value, i) => (Math.abs(value) > Math.abs(values[best]) ? i : best), 0);
  const counts = new Map();
  for (const one of all) counts.set(firstOf(one), (counts.get(firstOf(one)) ?? 0) + 1);
  const [[first, count]] = Array.from(counts).sort(([, a], [, b]) => b - a);
  const ends = book.columns.map((_, i) => [Math.min(...all.map((one) => one.values[i])), Math.max(...all.map((one) => one.values[i]))]);
  const widest = ends.reduce((best, [low, high], i) => (high - low > ends[best][1] - ends[best][0] ? i : best), 0);
  const agreed = count === all.length ? `all ${count}` : `${count} of ${all.length}`;
  return saysOnly(
    `that ${agreed} methods put “${book.columns[first].label}” first; they are furthest apart on “${book.columns[widest].label}”, from ${number(ends[widest][0])} to ${number(ends[widest][1])}`,
    "that they are right where they agree: all ask the same model",
  );
}

/** Of the lines over the form's columns: answers as each column alone changes, [column][value]. */
export function saysOfCurves(book, view, answers) {
  const widths = answers.map((some) => Math.max(...some) - Math.min(...some));
  const most = widths.indexOf(Math.max(...widths));
  return saysOnly(
    `that, all else as it is, “${book.columns[most].label}” moves what ${view.model} says most: from ${book.says(Math.min(...answers[most]))} to ${book.says(Math.max(...answers[most]))}`,
    `that the other columns would stay as they are if one changed, or ${outcomeOf(book)} then`,
  );
}

/** Of an error tree: the part of enough people that is worst, and whether it is so beyond chance. */
export function saysOfErrors(model, [everybody, ...parts]) {
  const worst = parts.filter((one) => !one.isFew).sort((a, b) => b.size - a.size)[0];
  const isBeyond = worst && worst.low > everybody.size;
  const where = worst ? `where ${model} errs most: “${worst.words}”, ${worst.number} against ${everybody.number} in all${isBeyond ? "" : ", within chance"}` : `no part with enough people to tell where ${model} errs most`;
  return saysOnly(where, "why it errs there, or that the column is to blame");
}
