// One input a column; what is changed is marked, and can be taken back.

import { h } from "./dom.js";
import { spread } from "./charts.js";
import { valueWords } from "./book.js";

/**
 * Return the form: {element, show}; every column with its value now, what it was, and where that lies among the training rows.
 *
 * `show(row, original, isPossible)` keeps it in step. Inputs are made once, so that a slider can be pulled while answers come.
 * Where only what is possible is asked for, inputs stop where this person could not go.
 */
export function changeForm(columns, change) {
  const fields = columns.map((column) => makeField(column, (value) => change(column.name, value)));
  const element = h("div", { class: "form", "data-figure": "curves" }, fields.map((one) => one.element));
  const show = (row, original, isPossible) => fields.forEach((one, i) => one.show(row[columns[i].place], original[columns[i].place], isPossible));
  return { element, show };
}

function makeField(column, put) {
  const id = `change-${column.place}`;
  const input = (column.kind === "categorical" ? levels : numbers)(column, id, put);
  const notes = [];
  const note = (name, means) => notes.push(h("button", { type: "button", class: "term chip", "data-term": name, "data-means": means }, name));
  if (column.protected) note("protected", "The law protects it: it is no reason to give.");
  if (column.follows.length) note("follows", `It follows from ${column.follows.join(", ")}.`);
  const below = h("div");
  const element = h("div", { class: "field" }, h("label", { for: id, title: column.description || null }, column.label), notes, h("div", { class: "picture" }), input.element, below);
  let shown = [];

  function show(...next) {
    if (next.every((one, i) => Object.is(one, shown[i]))) return;
    shown = next;
    const [code, own, isPossible] = next;
    const isChanged = !Object.is(code, own);
    const isOpen = (value) => !isPossible || Object.is(value, own) || objection(column, own, value) === "";
    const refused = isChanged ? objection(column, own, code) : "";
    input.show(code, isOpen, isPossible ? reach(column, own) : [column.low, column.high]);
    element.classList.toggle("changed", isChanged);
    element.querySelector(".picture").replaceChildren(spread(column, code));
    const undo = isChanged ? h("button", { type: "button", class: "undo", onclick: () => put(own) }, `was ${valueWords(column, own)}`) : "";
    below.replaceChildren(undo, refused ? h("p", { class: "objection" }, refused) : "");
  }
  return { element, show };
}

function levels(column, id, put) {
  const codes = [...column.levels.keys(), ...(column.missing === null ? [] : [NaN])];
  const element = h("select", { id, onchange: () => put(codes[element.selectedIndex]) }, codes.map((code) => h("option", { value: code }, column.levels[code] ?? column.missing)));
  const show = (code, isOpen) => {
    codes.forEach((one, i) => (element.options[i].disabled = !isOpen(one)));
    element.selectedIndex = codes.findIndex((one) => Object.is(one, code));
  };
  return { element, show };
}

function numbers(column, id, put) {
  const step = 10 ** -column.decimals;
  const fit = (value) => Number((Math.round(Number(value) / step) * step).toFixed(Math.max(0, column.decimals)));
  let [isOpen, low, high] = [() => true, column.low, column.high];
  const within = (value) => (isOpen(value) ? value : Math.min(Math.max(value, low), high));
  const slider = h("input", { type: "range", step, "aria-label": `${column.label}, slider`, oninput: () => put(within(fit(slider.value))) });
  const typed = h("input", { type: "number", id, step: "any", onchange: () => {
    const value = Number(typed.value);
    typed.setCustomValidity(isOpen(value) ? "" : `this person can go from ${low} to ${high}`);
    if (typed.value !== "" && Number.isFinite(value) && typed.reportValidity()) put(value);
  } });
  const beside = [...column.special, ...(column.missing !== null ? [[NaN, column.missing]] : [])];
  const kind = h("select", { "aria-label": `${column.label}, a number or not`, onchange: () => put(kind.selectedIndex ? beside[kind.selectedIndex - 1][0] : column.middle) }, h("option", {}, "a number"), beside.map(([, words]) => h("option", {}, words)));
  const element = h("span", { class: "number" }, slider, typed, column.unit ? h("span", { class: "unit" }, column.unit) : null, beside.length ? kind : null);

  function show(code, isOpenNow, ends) {
    [isOpen, low, high] = [isOpenNow, ...ends];
    const isNumber = !isBeside(column, code);
    slider.disabled = typed.disabled = !isNumber || low >= high;
    Object.assign(slider, { min: Math.floor(low / step + 1e-9) * step, max: Math.ceil(high / step - 1e-9) * step });
    slider.value = isNumber ? code : column.middle;
    typed.setCustomValidity("");
    typed.value = isNumber ? code : "";
    [...kind.options].forEach((option, i) => (option.disabled = i ? !isOpen(beside[i - 1][0]) : !isNumber && !isOpen(column.middle)));
    kind.selectedIndex = 1 + beside.findIndex(([own]) => Object.is(own, code));
  }
  return { element, show };
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
