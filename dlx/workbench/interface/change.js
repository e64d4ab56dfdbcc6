// The panel in which a person is changed: the form, a row that is pasted, steps taken back, and what each column would do.

import { h } from "./dom.js";
import { drawCurve } from "./charts.js";
import { saysOfCurves } from "./learn_words.js";
import { changeForm } from "./form.js";
import { codeOf, isCode } from "./state.js";

const CURVE = 12; // values of a number at which the answer is told
const AT_A_TIME = 120; // rows, after which the page may be drawn
const LINES_AFTER = 120; // milliseconds, after which lines are computed: what was typed is answered and explained first

/** Return the panel: called with a person as they are looked at, it gives its elements, the same each time. */
export function changePanel(bench, state) {
  const { book } = bench;
  let now = null;
  let turn = 0;
  const change = (name, code) => {
    const changes = { ...state.get().changes, [name]: code };
    if (Object.is(code, now.original[book.columns.find((one) => one.name === name).place])) delete changes[name];
    state.set({ changes });
  };
  const button = (words, act) => h("button", { type: "button", id: `workbench-${words.split(" ")[0].toLowerCase()}`, onclick: act }, words);
  const [undo, reset] = [button("Undo", state.undo), button("Reset all changes", () => state.set({ changes: {} }))];
  const only = h("input", { type: "checkbox", id: "workbench-possible", onchange: () => state.set({ possible: only.checked ? "only" : "" }) });
  const possible = h("label", { class: "choice" }, only, " only what this person could change");
  const about = h("p", { class: "quiet" });
  const form = changeForm(book.columns, change);
  const says = h("div");
  const below = h("div", {}, form.element, says);
  const elements = [h("p", { class: "choices" }, undo, reset, possible, pasting(book, state)), about, below];

  return (view) => {
    now = view;
    const mine = (turn += 1);
    const isPossible = view.possible === "only" && !view.isNew;
    undo.disabled = !state.canUndo();
    reset.disabled = !Object.keys(view.changes).length;
    [possible.hidden, only.checked] = [view.isNew, isPossible];
    about.textContent = `The line over each column is what ${view.model} would say if only that column changed (ICE); grey: the training rows.`;
    form.show(view.row, view.original, isPossible);
    below.setAttribute("aria-busy", "true"); // lines and words are of before
    curves(bench, view, form.element, () => mine === turn && below.isConnected)
      .catch(({ message }) => h("p", { class: "objection" }, `No lines: ${message}.`))
      .then((said) => {
        if (mine !== turn) return;
        below.removeAttribute("aria-busy");
        says.replaceChildren(...(said ? [said] : []));
      });
    return elements;
  };
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

/**
 * Draw over each column's spread what the shown model says at its values, all else as it is (individual conditional
 * expectation), and return what is said of it; nothing where the model has no answer, or `isNow` no longer holds.
 */
async function curves({ book, answers }, drawn, form, isNow) {
  const grid = book.columns.map((column) => (column.kind === "categorical" ? column.levels.map((_, level) => level) : Array.from({ length: CURVE }, (_, i) => column.low + ((column.high - column.low) * i) / (CURVE - 1))));
  const rows = grid.flatMap((values, place) => values.map((value) => Float64Array.from(drawn.row, (code, i) => (i === place ? value : code))));
  const said = [];
  while (said.length < rows.length) {
    await new Promise((done) => setTimeout(done, said.length ? 0 : LINES_AFTER));
    if (!isNow()) return null; // the person was changed meanwhile
    said.push(...(await answers.answersOf(drawn.model, rows.slice(said.length, said.length + AT_A_TIME))));
  }
  if (!isNow()) return null;
  for (const old of form.querySelectorAll(".curve")) old.remove();
  if (said[0] === null) return null;
  let at = 0;
  const all = grid.map((values, place) => {
    const own = said.slice(at, (at += values.length));
    drawCurve(form.children[place].querySelector("svg"), own, book.at, book.columns[place].kind === "categorical");
    return own;
  });
  return saysOfCurves(book, drawn, all);
}
