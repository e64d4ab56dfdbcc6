// What a person takes along: the reasons as a letter, what is known of them as CSV, and all of it on one sheet of paper.

import { capital, download, h } from "./dom.js";
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
function sheetOf({ book }, view, shown) {
  const copies = (selector) => Array.from(shown.querySelectorAll(selector), plainCopy);
  const value = (column) => h("div", {}, h("dt", {}, column.label), h("dd", { class: Object.is(view.row[column.place], view.original[column.place]) ? null : "changed" }, valueWords(column, view.row[column.place])));
  return h(
    "div",
    { class: "sheet workbench" },
    h("h2", {}, capital(view.isNew ? view.name : `${book.target.person} ${view.name}${view.isChanged ? ", changed" : ""}`)),
    h("p", { class: "quiet" }, `${book.case.title}. By dlx, ${new Date().toISOString().slice(0, 10)}.`),
    copies(".prediction, .risks, .reasons"),
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

export function takeAlong(bench, view, lines, found, print) {
  const { book } = bench;
  const { target } = book;
  const given = lines.filter((line) => line.moved === "raises" && line.given === "reason").slice(0, 4);
  const withheld = book.columns.filter((column) => column.withheld).map((column) => column.label);
  const letter = [
    `${capital(target.person)} ${view.name}`,
    "",
    `Decision: ${target.flagged}. The principal reasons:`,
    ...given.map((line, i) => `${i + 1}. ${line.words}${line.words_say_value ? "" : `: ${line.value}`}`),
  ].join("\n");
  const safe = (value) => (typeof value === "string" ? value.replace(/^([=+@-])/, "'$1") : String(value)); // no formula
  const cells = (values) => values.map((value) => `"${safe(value).replaceAll('"', '""')}"`).join(",");
  const csv = () =>
    [
      cells(["column", "value", `contribution by ${found?.label ?? "no method"}`]),
      ...book.columns.map((column, i) => cells([column.label, valueWords(column, view.row[i]), found?.values ? found.values[i] : ""])),
      ...view.answers.map((one) => cells([`prediction by ${one.name}`, one.answer === null ? "" : book.says(one.answer), ""])),
    ].join("\r\n");
  const name = `${book.case.name}-${view.name}`;
  const link = h("button", { type: "button", onclick: () => linkCopied().then((words) => (link.textContent = words)) }, `Copy the link to what is shown${location.search ? " (its token opens this server)" : ""}`);
  return [
    view.isFlagged && !view.isChanged && target.adverse_action
      ? h("div", {}, h("pre", { class: "letter" }, letter), h("p", { class: "quiet" }, withheld.length ? `Must not be in it: ${withheld.join(", ")}.` : ""))
      : null,
    h("p", {}, h("button", { type: "button", onclick: print }, "This person on one page"), " ", h("button", { type: "button", onclick: () => download(`${name}.csv`, "text/csv", `\ufeff${csv()}`) }, "This person as CSV"), " ", link),
  ];
}

/** Copy the link, which holds all that is shown; return what is said of it. */
async function linkCopied() {
  const { clipboard } = navigator;
  return clipboard ? clipboard.writeText(location.href).then(() => "Copied", () => "Not allowed here: copy the address above") : "Not possible here: copy the address above";
}
