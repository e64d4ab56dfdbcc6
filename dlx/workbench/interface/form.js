// One input a column; what is changed is marked, and can be taken back.

import { h } from "./dom.js";
import { spread } from "./charts.js";
import { valueWords } from "./book.js";

/** Return the form: every column with its value now, what it was, and where that lies among the training rows. */
export function changeForm(columns, row, original, change) {
  return h("div", { class: "form", "data-figure": "curves" }, columns.map((column) => field(column, row[column.place], original[column.place], change)));
}

function field(column, code, own, change) {
  const isChanged = !Object.is(code, own);
  const id = `change-${column.place}`;
  const put = (value) => change(column.name, value);
  const notes = [];
  const note = (name, means) => notes.push(h("button", { type: "button", class: "term chip", "data-term": name, "data-means": means }, name));
  if (column.protected) note("protected", "The law protects it: it is no reason to give.");
  if (column.follows.length) note("follows", `It follows from ${column.follows.join(", ")}.`);
  const refused = isChanged ? objection(column, own, code) : "";
  return h(
    "div",
    { class: `field${isChanged ? " changed" : ""}` },
    h("label", { for: id, title: column.description || null }, column.label),
    notes,
    spread(column, code),
    column.kind === "categorical" ? levels(column, code, id, put) : numbers(column, code, id, put),
    isChanged ? h("button", { type: "button", class: "undo", onclick: () => put(own) }, `was ${valueWords(column, own)}`) : null,
    refused ? h("p", { class: "objection" }, refused) : null,
  );
}

function levels(column, code, id, put) {
  const select = h("select", { id, onchange: () => put(select.value === "" ? NaN : Number(select.value)) });
  column.levels.forEach((level, i) => select.append(h("option", { value: i, selected: code === i }, level)));
  if (column.missing !== null) select.append(h("option", { value: "", selected: Number.isNaN(code) }, column.missing));
  return select;
}

function numbers(column, code, id, put) {
  const step = 10 ** -column.decimals;
  const isNumber = !Number.isNaN(code) && !column.special.some(([own]) => own === code);
  const shown = isNumber ? code : column.middle;
  const fit = (value) => Number(Number(value).toFixed(column.decimals));
  const slider = h("input", { type: "range", min: column.low, max: column.high, step, value: shown, "aria-label": `${column.label}, slider`, disabled: !isNumber });
  const typed = h("input", { type: "number", id, step: "any", value: isNumber ? code : "", disabled: !isNumber });
  slider.addEventListener("input", () => put(fit(slider.value)));
  typed.addEventListener("change", () => typed.value !== "" && Number.isFinite(Number(typed.value)) && put(Number(typed.value)));
  const beside = [...column.special, ...(column.missing !== null ? [[NaN, column.missing]] : [])];
  const kind = beside.length
    ? h("select", { "aria-label": `${column.label}, a number or not`, onchange: (event) => put(event.target.value === "" ? column.middle : beside[event.target.value][0]) }, h("option", { value: "", selected: isNumber }, "a number"), beside.map(([own, words], i) => h("option", { value: i, selected: Object.is(own, code) }, words)))
    : null;
  return h("span", { class: "number" }, slider, typed, column.unit ? h("span", { class: "unit" }, column.unit) : null, kind);
}

/** Say why nobody can be asked for a change; "" where they can. */
export function objection(column, from, to) {
  const forbidden = column.forbidden[String(from)] ?? [];
  if (forbidden.includes(to)) return `nobody comes from “${valueWords(column, from)}” to “${valueWords(column, to)}”`;
  if (!column.actionable) return column.follows.length ? "follows from other columns, which stay as they are here" : "nobody can be asked to change this";
  if (column.direction === "up" && to < from) return "can only go up";
  if (column.direction === "down" && to > from) return "can only go down";
  const [low, high] = column.bounds;
  if ((low !== null && low !== undefined && to < low) || (high !== null && high !== undefined && to > high)) return "beyond what anybody may be asked for";
  if (column.farthest !== null && Math.abs(to - from) > column.farthest) return "more than anybody is asked to change";
  return "";
}
