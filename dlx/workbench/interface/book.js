// What the page holds, opened: arrays from base64, columns that can say their values, people with their predictions.

import { readArray } from "../engine/arrays.js";
import { digits, percent } from "./dom.js";

function rowsOf(packed) {
  const [count, width] = packed.shape;
  const all = readArray(packed);
  return Array.from({ length: count }, (_, i) => all.subarray(i * width, (i + 1) * width));
}

/** How answers are said and drawn: risks in per cent on a line from 0 to 1, values in their unit on that of all answers. */
function manner(target, predictions) {
  if (target.kind !== "regression") return { isValue: false, scale: "probability", decimals: 0, says: percent, at: (risk) => 100 * risk };
  let [low, high] = [Infinity, -Infinity];
  for (const all of predictions.values()) for (const one of all) [low, high] = [Math.min(low, one), Math.max(high, one)];
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(high - low || 1)));
  const at = (value) => Math.min(100, Math.max(0, (100 * (value - low)) / (high - low || 1)));
  return { isValue: true, scale: "value", decimals, says: (value) => `${digits(value, decimals)} ${target.unit}`.trim(), at };
}

export function openBook(held) {
  const predictions = new Map(held.models.map((one) => [one.name, readArray(one.predictions)]));
  const columns = held.columns.map((column, place) => ({ ...column, place }));
  const rows = rowsOf(held.people.rows);
  const outcomes = held.outcomes ? readArray(held.outcomes) : null;
  const weights = held.people.weights && readArray(held.people.weights);
  const explanations = held.explanations.map((one) => {
    const of = readArray(one.of);
    const values = readArray(one.values);
    const width = columns.length;
    return {
      ...one,
      base: readArray(one.base),
      place: new Map(Array.from(of, (person, i) => [person, i])),
      valuesAt: (i) => Float64Array.from(values.subarray(i * width, (i + 1) * width), (value) => value * one.unit),
    };
  });
  return {
    ...held,
    columns,
    everybody: Array.from(rows.keys()),
    explanations,
    ...manner(held.target, predictions),
    predictions,
    background: rowsOf(held.background),
    weightOf: weights ? (i) => weights[i] : () => 1,
    byWeights: weights ? ", by their weights" : "",
    people: { ...held.people, rows, outcomes, groups: held.people.groups.map((one) => ({ ...one, of: readArray(one.of) })) },
  };
}

/** Return a code in the words of the schema, with its unit. */
export function valueWords(column, code) {
  if (Number.isNaN(code)) return column.missing ?? "missing";
  const special = column.special.find(([own]) => own === code);
  if (special) return special[1];
  if (column.kind === "categorical") return column.levels[code];
  if (column.date) return new Date(code * 86400000).toISOString().slice(0, 10);
  const text = code.toLocaleString("en-US", { maximumFractionDigits: Math.abs(code) >= 1000 ? 0 : 4 });
  return `${text.replace("-", "−")} ${column.unit}`.trim();
}

/** Return the words of an adverse reason for a code, and whether the value goes against them. */
export function reasonWords(column, code) {
  let found = [null, column.label, false];
  for (const line of column.words) {
    if (line[0] === null ? Number.isNaN(code) : column.kind === "categorical" ? line[0] === code : line[0] <= code) found = line;
  }
  return { words: found[1], against: found[2] };
}
