// A changed person beside the person as they are: what each column has, and what it adds, before and after.

import { h, signed } from "./dom.js";
import { valueWords } from "./book.js";

const LINES = 12;

/** Return the table of what moved: both answers of a method on the same scale, against the same people. */
export function beforeAndAfter(columns, view, before, after) {
  const number = (value) => (after.scale === "probability" ? signed(100 * value, 1) : signed(value));
  const isMoved = (i) => !Object.is(view.row[i], view.original[i]);
  const by = (i) => Math.abs(after.values[i] - before.values[i]);
  const order = columns.map(({ place }) => place).sort((a, b) => Number(isMoved(b)) - Number(isMoved(a)) || by(b) - by(a));
  const lines = order.slice(0, LINES).map((i) => {
    const values = isMoved(i) ? [h("s", {}, valueWords(columns[i], view.original[i])), ` ${valueWords(columns[i], view.row[i])}`] : [valueWords(columns[i], view.row[i])];
    return h("tr", { class: isMoved(i) ? "moved" : null }, h("th", { scope: "row" }, columns[i].label, h("span", { class: "value" }, values)), h("td", {}, number(before.values[i])), h("td", {}, number(after.values[i])), h("td", {}, number(after.values[i] - before.values[i])));
  });
  const whole = (one) => (after.scale === "probability" ? signed(100 * one.output, 1) : signed(one.output));
  const heads = ["Column", "Before", "After", "Moved by"].map((words) => h("th", { scope: "col" }, words));
  const last = h("tr", {}, h("th", { scope: "row" }, "Prediction"), h("td", {}, whole(before)), h("td", {}, whole(after)), h("td", {}, number(after.output - before.output)));
  return h("table", { class: "before-after" }, h("caption", {}, `What each column adds by ${after.label}, before and after`), h("thead", {}, h("tr", {}, heads)), h("tbody", {}, lines, last));
}
