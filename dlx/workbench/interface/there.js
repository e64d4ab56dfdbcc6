// Answers from the server that sent the page: every method of every model, black boxes included.

export async function fetched(path, asked = {}) {
  const said = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(asked)) if (value !== undefined) said.set(name, value);
  return (await fetch(`${path}?${said}`)).json();
}

import { readModel } from "../engine/model.js";
import { inParts } from "./parts.js";

const MOST_AT_ONCE = 200; // rows of a question

function posted(path, said, signal) {
  return fetch(path + location.search, { method: "POST", body: JSON.stringify(said), headers: { "content-type": "application/json" }, signal });
}

const asNumbers = (row) => Array.from(row, (code) => (Number.isNaN(code) ? null : code));

async function answered(path, said) {
  const answer = await posted(path, said);
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

export function answersThere(book) {
  const methods = (name) => book.models.find((one) => one.name === name).methods;

  const asked = async (rows, of = {}) => (await answered("risks", { rows: rows.map(asNumbers), class: book.class, ...of })).risks;

  async function risks(rows) {
    const said = await asked(rows);
    return said.map((one) => book.models.map(({ name, colour }, k) => ({ name, colour, answer: one[k] })));
  }

  const answersOf = async (model, rows) => (await asked(rows, { model })).map(([one]) => one);
  const known = new Map();

  /** Return a model that can be asked about many rows: {engine, predict}; by this browser, where it can be written down. */
  function model(name) {
    if (!known.has(name)) known.set(name, opened(name));
    return known.get(name);
  }

  async function opened(name) {
    const { written } = await answered("model", { model: name, class: book.class });
    const engine = written ? readModel(written) : null;
    const ask = async (rows, scale) => (await asked(rows, { model: name, scale })).map(([one]) => one);
    return { engine, predict: (rows, scale) => (engine ? inParts(rows, (some) => engine.predict(some, scale)) : inParts(rows, (some) => ask(some, scale), MOST_AT_ONCE)) };
  }

  /** Ask; each line of the answer says what it costs, how far it is, or what was found. Leaving stops the work on the server, too. */
  function explain(question, update) {
    return queued("explain", { ...question, row: asNumbers(question.row), against: question.against?.map(asNumbers) ?? null }, update);
  }

  /** Ask for ways out of somebody: {model, person, threshold, range}. */
  const ways = (question, update) => queued("ways", question, update);

  /** Ask how far methods are apart about a model, with settings aligned or not: {model}. */
  const alignment = (question, update) => queued("alignment", question, update);

  function queued(path, question, update) {
    const leaving = new AbortController();
    const read = async () => {
      const answer = await posted(path, { ...question, class: book.class }, leaving.signal);
      if (!answer.ok) return update({ failed: (await answer.json()).error });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        text += part.value;
        const lines = text.split("\n");
        text = lines.pop();
        lines.filter(Boolean).forEach((line) => update(JSON.parse(line)));
      }
    };
    read().catch((error) => {
      if (error.name !== "AbortError") update({ failed: `the server does not answer: ${error.message}` });
    });
    return () => leaving.abort();
  }

  return { methods, risks, answersOf, model, explain, ways, alignment, close: () => {} };
}
