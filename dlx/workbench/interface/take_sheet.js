// One person on one sheet of paper: what is said of them, why, their values, and what none of it says.

import { capital, h } from "./dom.js";
import { valueWords } from "./book.js";

const [LARGEST, SMALLEST] = [10, 5.5]; // points of the letters; as large as one page allows
const PAGE = 265; // millimetres of an A4 page between its margins, which page.css sets

/** Print what is shown of a person, and nothing else, on one page A4. */
export function printSheet(bench, view, shown) {
  document.querySelector("body > .sheet")?.remove();
  const sheet = sheetOf(bench, view, shown);
  document.body.append(sheet);
  document.documentElement.classList.add("prints-person");
  for (let size = LARGEST; size >= SMALLEST; size -= 0.25) {
    sheet.style.fontSize = `${size}pt`;
    if (sheet.scrollHeight <= (PAGE * 96) / 25.4) break;
  }
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("prints-person");
    sheet.remove();
  }, { once: true });
  print();
}

/** Return the sheet: parts of the page as they stand there, and the values of all columns. */
export function sheetOf({ book }, view, shown) {
  const copies = (selector) => Array.from(shown.querySelectorAll(selector), plainCopy);
  const value = (column) => h("div", {}, h("dt", {}, column.label), h("dd", { class: Object.is(view.row[column.place], view.original[column.place]) ? null : "changed" }, valueWords(column, view.row[column.place])));
  return h(
    "div",
    { class: "sheet workbench" },
    h("h2", {}, capital(view.isNew ? view.name : `${book.target.person} ${view.name}${view.isChanged ? ", changed" : ""}`)),
    h("p", { class: "quiet" }, `${book.case.title}. By dlx, ${new Date().toISOString().slice(0, 10)}.`),
    copies(".verdict, .risks, .reasons"),
    copies(".waterfall"),
    copies(".who > div > .says"),
    h("h3", {}, "Values"),
    h("dl", { class: "values" }, book.columns.map(value)),
    h("p", { class: "quiet" }, "Explanations tell of models, not of causes in the world."),
  );
}

function plainCopy(element) {
  const copy = element.cloneNode(true);
  copy.querySelectorAll("button.term").forEach((term) => term.replaceWith(term.textContent));
  copy.querySelectorAll("[id]").forEach((one) => one.removeAttribute("id"));
  return copy;
}
