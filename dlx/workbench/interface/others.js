// The person beside others: whom they are compared with, the nearest with the other decision, somebody typical; and beside
// themselves, changed.

import { capital, choice, h, signed } from "./dom.js";
import { valueWords } from "./book.js";
import { gower } from "./seen.js";

const MOST = 100; // people of a background
const NEAREST = 3;
const NEAR_LINE = 20; // people about whom a decision is closest
const LINES = 12; // columns before and after

/** Return whom contributions are measured against: {words, count, rows} by a key; rows are null for the background of the page. */
export function backgrounds(bench, view, listed, cohorts) {
  const { book } = bench;
  const { people, everybody } = book;
  const { line } = view;
  const risk = (i) => book.predictions.get(view.model)[i];
  const off = (i) => Math.min(...line.ends.map((end) => Math.abs(risk(i) - end)));
  const near = [...everybody].sort((a, b) => off(a) - off(b));
  const kept = cohorts.map(({ name, places }) => [`cohort:${name}`, { words: `cohort ${name}`, places }]);
  const found = {
    "": { words: `${book.background.length} training rows`, count: "", rows: null },
    cleared: { words: `those ${book.isValue ? "predicted " : ""}${line.cleared}`, places: everybody.filter((i) => !line.isFlagged(risk(i))) },
    near: { words: book.isValue ? "those nearest the range's ends" : "those nearest the threshold", places: near.slice(0, NEAR_LINE) },
    listed: { words: "the people in the list", places: listed },
    ...Object.fromEntries(kept),
  };
  const [, name] = view.against.match(/^person:(.*)$/) ?? [];
  if (name !== undefined && people.names.includes(name)) found[view.against] = { words: `${book.target.person} ${name}`, places: [people.names.indexOf(name)] };
  for (const one of Object.values(found).filter(({ places }) => places)) {
    const others = one.places.filter((i) => i !== view.person).sort((a, b) => a - b);
    const every = Math.ceil(others.length / MOST);
    one.rows = others.filter((_, i) => i % every === 0).map((i) => people.rows[i]);
    one.count = one.rows.length === 1 ? "" : ` (${one.rows.length}${every > 1 ? ` of ${others.length}` : ""} people)`;
  }
  return found;
}

export function againstChoice(bench, view, known, set) {
  const options = Object.entries(known).map(([value, one]) => ({ value, words: one.words, why: one.rows && !one.rows.length ? "nobody" : "" }));
  return choice("Against", options, view.against in known ? view.against : "", (against) => set({ against }));
}

/** The nearest real people whom the model decides otherwise about, and what sets them apart. */
export function nearestOthers({ book }, view, set) {
  const { people, columns, target } = book;
  const { line } = view;
  if (view.said.answer === null) return [h("p", { class: "quiet" }, `Told where ${view.model} has an answer.`)];
  const risk = (i) => book.predictions.get(view.model)[i];
  const others = book.everybody.filter((i) => line.isFlagged(risk(i)) !== view.isFlagged);
  const nearest = others.map((i) => [gower(columns, view.row, people.rows[i]), i]).sort(([a], [b]) => a - b);
  const lines = nearest.slice(0, NEAREST).map(([, i]) => {
    const apart = columns.filter((column) => !Object.is(view.row[column.place], people.rows[i][column.place]));
    const words = apart.map((column) => `${column.label}: ${valueWords(column, people.rows[i][column.place])}`).join("; ");
    const name = people.names[i];
    return h(
      "li",
      {},
      `${capital(target.person)} ${name}, ${line.says(risk(i))}: ${words}. `,
      h("button", { type: "button", onclick: () => set({ against: `person:${name}` }) }, "Why not this one?"),
      " ",
      h("button", { type: "button", onclick: () => set({ person: name, against: "" }) }, "Look"),
    );
  });
  const who = `Real people in this file who are ${book.isValue ? "predicted " : ""}${view.isFlagged ? line.cleared : line.flagged} and`;
  const words = `${who} most like this one, by the mean share of each column's range; what is different.`;
  return lines.length ? [h("p", { class: "quiet" }, words), h("ul", { class: "ways" }, lines)] : [h("p", {}, "Nobody here is decided otherwise about.")];
}

/** By which columns another model sees this person otherwise: their Shapley values beside those of the shown one. */
export function whereModelsDiffer({ book }, view) {
  const shapleyOf = (model) => book.explanations.find((one) => one.model === model && one.is_shapley && one.place.has(view.person));
  const mine = shapleyOf(view.model);
  const others = book.models.map((one) => shapleyOf(one.name)).filter((one) => one && mine && one !== mine && one.scale === mine.scale);
  if (view.isChanged || !others.length) return [h("p", { class: "quiet" }, "Told of people as they are, where two models were explained on one scale.")];
  const values = mine.valuesAt(mine.place.get(view.person));
  const unit = mine.scale === "logit" ? "log-odds" : "points";
  const lines = others.map((one) => {
    const theirs = one.valuesAt(one.place.get(view.person));
    const apart = Array.from(values, (value, i) => [value - theirs[i], i]).sort(([a], [b]) => Math.abs(b) - Math.abs(a)).slice(0, NEAREST);
    return h("li", {}, `${one.model}: above all ${apart.map(([by, i]) => `“${book.columns[i].label}” (${signed(by)})`).join(", ")}`);
  });
  return [h("p", { class: "quiet" }, `By how much more ${view.model} makes of a column than another model, in ${unit}.`), h("ul", {}, lines)];
}

/** A row of usual values: the median, the commonest level. */
export function typicalRow(columns) {
  return Float64Array.from(columns, (column) => (column.kind === "categorical" ? column.counts.indexOf(Math.max(...column.counts)) : column.middle));
}

/** Return the table of what moved: both answers of a method on the same scale, against the same people. */
export function beforeAndAfter(columns, view, before, after) {
  const number = (value) => (after.scale === "probability" ? signed(100 * value, 1) : signed(value));
  const isMoved = (i) => !Object.is(view.row[i], view.original[i]);
  const by = (i) => Math.abs(after.values[i] - before.values[i]);
  const order = columns.map(({ place }) => place).sort((a, b) => Number(isMoved(b)) - Number(isMoved(a)) || by(b) - by(a));
  const lines = order.slice(0, LINES).map((i) => {
    const values = isMoved(i) ? [h("s", {}, valueWords(columns[i], view.original[i])), ` ${valueWords(columns[i], view.row[i])}`] : [valueWords(columns[i], view.row[i])];
    return h("tr", { class: isMoved(i) ? "moved" : null }, h("th", { scope: "row" }, columns[i].label, h("span", { class: "value" }, values)), h("td", {}, number(before.values[i])), h("td", {}, number(after.values[i])), h("td", {}, number(after.values[i] - before.values[i])));
  });
  const heads = ["Column", "Before", "After", "Moved by"].map((words) => h("th", { scope: "col" }, words));
  const last = h("tr", {}, h("th", { scope: "row" }, "Prediction"), h("td", {}, number(before.output)), h("td", {}, number(after.output)), h("td", {}, number(after.output - before.output)));
  return h("table", { class: "before-after" }, h("caption", {}, `What each column adds by ${after.label}, before and after`), h("thead", {}, h("tr", {}, heads)), h("tbody", {}, lines, last));
}
