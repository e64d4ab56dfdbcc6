// Who is meant: words and conditions, decisions, a group, a part of the error tree. A filter with a name is a cohort.

import { isInPart } from "./errors.js";
import { valueWords } from "./book.js";

export const NO_FILTER = { find: "", decision: "", group: "", part: "" };
const BY_TASK = {
  binary: ["", "had", "flagged", "cleared", "wrong", "disagree"],
  regression: ["", "had", "flagged", "cleared", "wrong", "off", "disagree"],
};
const OF_OUTCOMES = ["had", "wrong", "off"];

/** Return the decisions that can be asked for, {value, words, test(person)}, as the line is now. */
export function decisionsOf(book, model, line) {
  const { outcomes } = book.people;
  const risk = (i) => book.predictions.get(model)[i];
  const far = outcomes ? 2 * typicalError(book, risk) : 0;
  const every = {
    "": ["everybody", () => true],
    had: [line.hadWords, (i) => line.happened(outcomes[i])],
    flagged: [book.isValue ? `predicted ${line.flagged}` : line.flagged, (i) => line.isFlagged(risk(i))],
    cleared: [book.isValue ? `predicted ${line.cleared}` : line.cleared, (i) => !line.isFlagged(risk(i))],
    wrong: [book.isValue ? "predicted on the wrong side" : "decided wrongly", (i) => line.isWrong(risk(i), outcomes[i])],
    off: ["predicted far off", (i) => Math.abs(risk(i) - outcomes[i]) > far],
    disagree: ["models disagree", (i) => new Set(Array.from(book.predictions.values(), (all) => line.isFlagged(all[i]))).size > 1],
  };
  const told = BY_TASK[book.target.kind].filter((value) => outcomes || !OF_OUTCOMES.includes(value));
  return told.map((value) => ({ value, words: every[value][0], test: every[value][1] }));
}

function typicalError({ people, everybody }, risk) {
  const errors = everybody.map((i) => Math.abs(risk(i) - people.outcomes[i])).sort((a, b) => a - b);
  return errors[Math.floor(errors.length / 2)];
}

/** Return the places of those whom a filter {find, decision, group, part} means, and the words that name no column. */
export function filtered(book, filter, model, line) {
  const risk = (i) => book.predictions.get(model)[i];
  const { test, strange } = asTest(filter.find, book, risk);
  const decision = decisionsOf(book, model, line).find((one) => one.value === filter.decision)?.test ?? (() => true);
  const [which, code] = filter.group.split(":").map(Number);
  const isInGroup = filter.group === "" ? () => true : (i) => book.people.groups[which]?.of[i] === code;
  const isPart = isInPart(book, filter.part);
  return { strange, places: book.everybody.filter((i) => test(i) && isInGroup(i) && decision(i) && isPart(book.people.rows[i])) };
}

export function filterOf({ find, decision, group, part }) {
  return { find, decision, group, part };
}

const CONDITION = /^(.+?)(<=|>=|<|>|=|:)(.*)$/;

/** Return what is typed as a test of a person's place, and the words that no column is known for. */
function asTest(text, book, risk) {
  const tests = [];
  const strange = [];
  for (const part of text.toLowerCase().match(/(?:[^\s"]|"[^"]*")+/g) ?? []) {
    const said = part.replaceAll('"', "");
    const [, name, sign, value] = said.match(CONDITION) ?? [];
    if (!name) tests.push((i) => wordsOf(book, i).includes(said));
    else if (name === "risk") tests.push(compared(sign, Number(value.replace("%", "")), (i) => 100 * risk(i)));
    else {
      const column = book.columns.find((one) => one.name.toLowerCase() === name || one.label.toLowerCase() === name);
      if (!column) strange.push(name);
      else if (sign !== ":" && value !== "" && !Number.isNaN(Number(value)) && column.kind !== "categorical")
        tests.push(compared(sign, Number(value), (i) => book.people.rows[i][column.place]));
      else tests.push((i) => valueWords(column, book.people.rows[i][column.place]).toLowerCase().includes(value));
    }
  }
  return { test: (i) => tests.every((one) => one(i)), strange };
}

function compared(sign, value, of) {
  const by = { "<": (a) => a < value, "<=": (a) => a <= value, ">": (a) => a > value, ">=": (a) => a >= value };
  const is = by[sign] ?? ((a) => a === value);
  return (i) => is(of(i));
}

const KNOWN = new WeakMap();

function wordsOf(book, i) {
  if (!KNOWN.has(book)) KNOWN.set(book, []);
  const known = KNOWN.get(book);
  known[i] ??= [book.people.names[i], ...book.columns.map((column) => valueWords(column, book.people.rows[i][column.place]))].join(" ").toLowerCase();
  return known[i];
}
