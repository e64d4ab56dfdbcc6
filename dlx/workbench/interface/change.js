// The panel in which a person is changed: the form, a row that is pasted, steps taken back, and what each column would do.

import { h } from "./dom.js";
import { drawCurve } from "./charts.js";
import { saysOfCurves } from "./learn_words.js";
import { changeForm } from "./form.js";
import { codeOf, isCode } from "./state.js";

const CURVE = 12; // values of a number at which the answer is told
const AT_A_TIME = 120; // rows, after which the page may be drawn

/** Return the panel's elements: of a person as they are looked at. */
export function changePanel(bench, view, state) {
  const { book } = bench;
  const change = (name, code) => {
    const changes = { ...state.get().changes, [name]: code };
    if (Object.is(code, view.original[book.columns.find((one) => one.name === name).place])) delete changes[name];
    state.set({ changes });
  };
  const button = (words, act, isOff) => h("button", { type: "button", id: `workbench-${words.split(" ")[0].toLowerCase()}`, onclick: act, disabled: isOff }, words);
  const isPossible = view.possible === "only" && !view.isNew;
  const only = h("input", { type: "checkbox", id: "workbench-possible", checked: isPossible, onchange: () => state.set({ possible: only.checked ? "only" : "" }) });
  const form = changeForm(book.columns, view.row, view.original, isPossible, change);
  const says = h("div");
  curves(bench, view, form).then((said) => said && says.replaceChildren(said), ({ message }) => says.replaceChildren(h("p", { class: "objection" }, `No lines: ${message}.`)));
  return [
    h("p", { class: "choices" }, button("Undo", state.undo, !state.canUndo()), button("Reset all changes", () => state.set({ changes: {} }), !Object.keys(view.changes).length), view.isNew ? null : h("label", { class: "choice" }, only, " only what this person could change"), pasting(book, state)),
    h("p", { class: "quiet" }, `The line over each column is what ${view.model} would say if only that column changed (ICE); grey: the training rows.`),
    form,
    says,
  ];
}

/** Return a field into which a row is pasted: all values in the table's order, or name=value. */
function pasting(book, state) {
  const field = h("input", { type: "text", "aria-label": "A row to paste", placeholder: "paste a row: values, or name=value; ..." });
  field.addEventListener("change", () => {
    const parts = field.value.split(/[\t;]/).map((part) => part.trim());
    const isWhole = parts.length === book.columns.length;
    const pairs = isWhole ? parts.map((part, i) => [book.columns[i], part]) : parts.map((part) => part.split(/=(.*)/)).map(([name, text]) => [book.columns.find((one) => [one.name, one.label].includes(name.trim())), text]);
    const strange = pairs.findIndex(([column, text]) => !column || text === undefined || !isCode(column, codeOf(column, text.trim())));
    field.setCustomValidity(strange < 0 ? "" : `“${parts[strange]}” is no value of a column here`);
    if (!field.reportValidity()) return;
    state.set({ changes: { ...state.get().changes, ...Object.fromEntries(pairs.map(([column, text]) => [column.name, codeOf(column, text.trim())])) } });
  });
  return field;
}

/** Draw over each column's spread what the shown model says at its values, all else as it is (individual conditional expectation). */
async function curves({ book, answers }, drawn, form) {
  const grid = book.columns.map((column) => (column.kind === "categorical" ? column.levels.map((_, level) => level) : Array.from({ length: CURVE }, (_, i) => column.low + ((column.high - column.low) * i) / (CURVE - 1))));
  const rows = grid.flatMap((values, place) => values.map((value) => Float64Array.from(drawn.row, (code, i) => (i === place ? value : code))));
  const said = [];
  while (said.length < rows.length) {
    await new Promise((done) => setTimeout(done)); // what was typed is shown first
    if (!form.isConnected) return null; // the person was changed meanwhile
    said.push(...(await answers.answersOf(drawn.model, rows.slice(said.length, said.length + AT_A_TIME))));
  }
  let at = 0;
  const all = grid.map((values, place) => {
    const own = said.slice(at, (at += values.length));
    if (own[0] !== null) drawCurve(form.children[place].querySelector("svg"), own, book.at, book.columns[place].kind === "categorical");
    return own;
  });
  return all[0][0] === null ? null : saysOfCurves(book, drawn, all);
}
