// The error tree: parts of the table in which a model is wrong more often, each a filter by a click.

import { digits, h } from "./dom.js";
import { FEW, meanWithInterval, shareWithInterval } from "./crowd.js";
import { saysOfErrors } from "./learn_words.js";

/** Return a test of rows: whether they are in a part, "model:place" in its tree; all are where it names none. */
export function isInPart(book, part) {
  const splits = pathTo(book, part);
  return (row) => splits.every((split) => holds(book.columns[split.column], split, row[split.column]));
}

/** Return in words what people in a part are. */
export function partWords(book, part) {
  const known = new Map(pathTo(book, part).reverse().map((split) => [split.column, split.words]));
  return Array.from(known.values()).join("; ");
}

function pathTo(book, part) {
  const [, model, place] = part.match(/^(.*):(\d+)$/) ?? [];
  const nodes = book.models.find((one) => one.name === model)?.errors ?? [];
  const path = [];
  for (let node = nodes[place]; node?.split; node = nodes[node.above]) path.push(node.split);
  return path;
}

function holds(column, { low, high, levels, missing }, code) {
  if (Number.isNaN(code) || column.special.some(([own]) => own === code)) return missing;
  return column.kind === "categorical" ? levels.includes(code) : code > (low ?? -Infinity) && code <= (high ?? Infinity);
}

/** Return the tree of a model, each node with its people and how often it is wrong about them. */
export function errorTree(book, { model, part }, line, choose) {
  const { errors: nodes } = book.models.find((one) => one.name === model);
  if (!nodes || nodes.length < 2) return [h("p", { class: "quiet" }, `No part of the table was found in which ${model} is wrong more often.`)];
  const told = nodes.map((_, place) => nodeOf(book, model, place, line));
  const most = Math.max(...told.map((one) => one.high)) || 1;
  const draw = (place) => {
    const { words, size, low, high, number } = told[place];
    const value = place ? `${model}:${place}` : "";
    const bar = h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: "bar", style: `width:${(100 * size) / most}%` }), h("span", { class: "noise", style: `left:${(100 * low) / most}%;width:${(100 * (high - low)) / most}%` }));
    const below = nodes.map((_, i) => i).filter((i) => nodes[i].above === place);
    const line_ = h("button", { type: "button", "aria-pressed": String(part === value), onclick: () => choose(value) }, h("span", { class: "name" }, words), bar, h("span", { class: "number" }, number));
    return h("li", {}, line_, below.length ? h("ul", {}, below.map(draw)) : null);
  };
  const what = book.isValue ? "how far off it is" : "how often it decides wrongly";
  return [
    h("p", { class: "quiet" }, `Where ${model} errs more: parts found on rows that are not in this list; ${what} is counted on those who are, with 95 % intervals. A click shows the people.`),
    h("ul", { class: "tree", "data-figure": "error-tree" }, draw(0)),
    saysOfErrors(model, told),
  ];
}

function nodeOf(book, model, place, line) {
  const { split } = book.models.find((one) => one.name === model).errors[place];
  const isPart = isInPart(book, `${model}:${place}`);
  const places = book.everybody.filter((i) => isPart(book.people.rows[i]));
  const risk = (i) => book.predictions.get(model)[i];
  const known = book.people.outcomes ? places : [];
  const [size, low, high] = book.isValue ? meanWithInterval(book, known, (i) => Math.abs(risk(i) - book.people.outcomes[i])) : shareWithInterval(book, known, (i) => line.isWrong(risk(i), book.people.outcomes[i]));
  const said = book.isValue ? `${book.says(size)}, ${known.length} people` : `${digits(100 * size, 0)} % of ${known.length}`;
  const number = !known.length ? "nobody" : `${said}${known.length < FEW ? ", too few" : ""}`;
  return { words: split ? split.words : "everybody", size: size || 0, low: low || 0, high: high || 0, number, isFew: known.length < FEW };
}
