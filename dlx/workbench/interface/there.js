// Answers from the server that sent the page: every method of every model, black boxes included.

export async function fetched(path, asked = {}) {
  const said = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(asked)) if (value !== undefined) said.set(name, value);
  return (await fetch(`${path}?${said}`)).json();
}

import { readModel } from "../engine/model.js";
import { inParts } from "./parts.js";

const MOST_AT_ONCE = 200; // rows of a question
const SILENT = "the server does not answer: is dlx serve still running?";

function posted(path, said, signal) {
  return fetch(path + location.search, { method: "POST", body: JSON.stringify(said), headers: { "content-type": "application/json" }, signal });
}

const asNumbers = (row) => Array.from(row, (code) => (Number.isNaN(code) ? null : code));

async function answered(path, said) {
  const answer = await posted(path, said).catch(() => {
    throw new Error(SILENT);
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

export function answersThere(book) {
  const methods = (name) => book.models.find((one) => one.name === name).methods;

  const asked = (rows, of = {}) => answered("risks", { rows: rows.map(asNumbers), class: book.class, ...of });

  /** Return risks as `answersHere` does; where the server does not answer, no model does. */
  async function risks(rows) {
    const { risks: said, failed } = await asked(rows).catch(({ message }) => ({ risks: rows.map(() => []), failed: Object.fromEntries(book.models.map(({ name }) => [name, message])) }));
    return said.map((one) => book.models.map(({ name, colour }, k) => ({ name, colour, answer: one[k] ?? null, failed: failed[name] })));
  }

  async function answersOf(model, rows, scale) {
    const { risks: said, failed } = await asked(rows, { model, scale });
    if (failed[model]) throw new Error(failed[model]);
    return said.map(([one]) => one);
  }
  const known = new Map();

  /** Return a model that can be asked about many rows: {engine, predict}; by this browser, where it can be written down. */
  function model(name) {
    if (!known.has(name)) known.set(name, opened(name));
    return known.get(name);
  }

  async function opened(name) {
    const { written } = await answered("model", { model: name, class: book.class });
    const engine = written ? readModel(written) : null;
    const ask = (rows, scale) => inParts(rows, (some) => answersOf(name, some, scale), MOST_AT_ONCE);
    return { engine, predict: engine ? (rows, scale) => inParts(rows, (some) => engine.predict(some, scale)) : ask };
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
      if (error.name !== "AbortError") update({ failed: SILENT });
    });
    return () => leaving.abort();
  }

  return { methods, risks, answersOf, model, explain, ways, alignment, close: () => {} };
}
