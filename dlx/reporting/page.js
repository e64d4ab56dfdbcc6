"use strict";
// Tables sort by a click on a column's name, numbers by their data value; before printing, what is folded opens, and by its door the
// list of people.
function key(row, column) {
  const value = row.dataset.values.split(";")[column];
  return value === "" ? row.cells[column].textContent.trim().toLowerCase() : Number(value);
}
function compare(a, b) {
  if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
  return typeof a === "number" ? -1 : 1;
}
function sort(table, column, header) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const isEmpty = (row) => ["", "–"].includes(key(row, column));
  const known = rows.filter((row) => !isEmpty(row)).sort((a, b) => compare(key(a, column), key(b, column)));
  if (descending) known.reverse();
  body.append(...known, ...rows.filter(isEmpty));
}
for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    button.addEventListener("click", () => sort(table, column, header));
    header.replaceChildren(button);
  });
}
window.addEventListener("beforeprint", () => {
  if (document.documentElement.classList.contains("prints-person")) return; // a sheet of its own
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
document.querySelector('.doors a[href="#ask"]')?.addEventListener("click", () => {
  const folded = document.querySelector("#ask > details");
  if (folded) folded.open = true;
});
