// One input a column; what is changed is marked, and can be taken back.

import { h } from "./dom.js";
import { spread } from "./charts.js";
import { valueWords } from "./book.js";

/**
 * Return the form: every column with its value now, what it was, and where that lies among the training rows.
 *
 * Where only what is possible is asked for, inputs stop where this person could not go.
 */
export function changeForm(columns, row, original, isPossible, change) {
  return h("div", { class: "form", "data-figure": "curves" }, columns.map((column) => field(column, row[column.place], original[column.place], isPossible, change)));
}

function field(column, code, own, isPossible, change) {
  const isChanged = !Object.is(code, own);
  const id = `change-${column.place}`;
  const put = (value) => change(column.name, value);
  const notes = [];
  const note = (name, means) => notes.push(h("button", { type: "button", class: "term chip", "data-term": name, "data-means": means }, name));
  if (column.protected) note("protected", "The law protects it: it is no reason to give.");
  if (column.follows.length) note("follows", `It follows from ${column.follows.join(", ")}.`);
  const refused = isChanged ? objection(column, own, code) : "";
  const isOpen = (value) => !isPossible || Object.is(value, own) || objection(column, own, value) === "";
  const ends = isPossible ? reach(column, own) : [column.low, column.high];
  return h(
    "div",
    { class: `field${isChanged ? " changed" : ""}` },
    h("label", { for: id, title: column.description || null }, column.label),
    notes,
    spread(column, code),
    column.kind === "categorical" ? levels(column, code, id, isOpen, put) : numbers(column, code, id, ends, isOpen, put),
    isChanged ? h("button", { type: "button", class: "undo", onclick: () => put(own) }, `was ${valueWords(column, own)}`) : null,
    refused ? h("p", { class: "objection" }, refused) : null,
  );
}

function levels(column, code, id, isOpen, put) {
  const select = h("select", { id, onchange: () => put(select.value === "" ? NaN : Number(select.value)) });
  column.levels.forEach((level, i) => select.append(h("option", { value: i, selected: code === i, disabled: !isOpen(i) }, level)));
  if (column.missing !== null) select.append(h("option", { value: "", selected: Number.isNaN(code), disabled: !isOpen(NaN) }, column.missing));
  return select;
}

function numbers(column, code, id, [low, high], isOpen, put) {
  const step = 10 ** -column.decimals;
  const isNumber = !isBeside(column, code);
  const shown = isNumber ? code : column.middle;
  const places = Math.max(0, column.decimals);
  const fit = (value) => Number((Math.round(Number(value) / step) * step).toFixed(places));
  const isStuck = !isNumber || low >= high;
  const within = (value) => Math.min(Math.max(value, low), high);
  const slider = h("input", { type: "range", min: Math.floor(low / step + 1e-9) * step, max: Math.ceil(high / step - 1e-9) * step, step, value: shown, "aria-label": `${column.label}, slider`, disabled: isStuck });
  const typed = h("input", { type: "number", id, step: "any", value: isNumber ? code : "", disabled: isStuck });
  slider.addEventListener("input", () => put(isOpen(fit(slider.value)) ? fit(slider.value) : within(fit(slider.value))));
  typed.addEventListener("change", () => {
    const value = Number(typed.value);
    typed.setCustomValidity(isOpen(value) ? "" : `this person can go from ${low} to ${high}`);
    if (typed.value !== "" && Number.isFinite(value) && typed.reportValidity()) put(value);
  });
  const beside = [...column.special, ...(column.missing !== null ? [[NaN, column.missing]] : [])];
  const kind = beside.length
    ? h("select", { "aria-label": `${column.label}, a number or not`, onchange: (event) => put(event.target.value === "" ? column.middle : beside[event.target.value][0]) }, h("option", { value: "", selected: isNumber, disabled: !isNumber && !isOpen(column.middle) }, "a number"), beside.map(([own, words], i) => h("option", { value: i, selected: Object.is(own, code), disabled: !isOpen(own) }, words)))
    : null;
  return h("span", { class: "number" }, slider, typed, column.unit ? h("span", { class: "unit" }, column.unit) : null, kind);
}

/** Whether a code is beside the numbers of a column: missing, or special. */
export function isBeside(column, code) {
  return Number.isNaN(code) || (column.special.length > 0 && column.special.some(([own]) => own === code));
}

/** Return from where to where a person may go from a number; nowhere else where they cannot. */
function reach(column, from) {
  if (!column.actionable || isBeside(column, from)) return [from, from];
  const [least, most] = column.bounds;
  const farthest = column.farthest ?? Infinity;
  const low = Math.max(column.low, least ?? -Infinity, from - farthest, column.direction === "up" ? from : -Infinity);
  const high = Math.min(column.high, most ?? Infinity, from + farthest, column.direction === "down" ? from : Infinity);
  return [Math.min(low, from), Math.max(high, from)];
}

/** Say why nobody can be asked for a change; "" where they can. */
export function objection(column, from, to) {
  const forbidden = column.forbidden[String(from)] ?? [];
  if (forbidden.includes(to)) return `nobody comes from “${valueWords(column, from)}” to “${valueWords(column, to)}”`;
  if (!column.actionable) return column.follows.length ? "follows from other columns, which stay as they are here" : "nobody can be asked to change this";
  if (Number.isNaN(from) || Number.isNaN(to) || isBeside(column, from) || isBeside(column, to)) return "what is missing or special stays so";
  if (column.direction === "up" && to < from) return "can only go up";
  if (column.direction === "down" && to > from) return "can only go down";
  const [low, high] = column.bounds;
  if ((low !== null && to < low) || (high !== null && to > high)) return "beyond what anybody may be asked for";
  if (column.farthest !== null && Math.abs(to - from) > column.farthest) return "more than anybody is asked to change";
  return "";
}
