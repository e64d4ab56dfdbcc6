// What a person takes along: the reasons as a letter, and what is known of them as CSV.

import { capital, download, h, percent } from "./dom.js";
import { valueWords } from "./book.js";

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
