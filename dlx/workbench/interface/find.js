// Who is meant by what is typed: words, and conditions on columns such as "age<30 status:none".

import { valueWords } from "./book.js";

const CONDITION = /^(.+?)(<=|>=|<|>|=|:)(.*)$/;

/** Return what is typed as a test of a person's place, and the words that no column is known for. */
export function asTest(text, book, risk) {
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
