// Cohorts: filters with a name, kept in the link, side by side and in every panel.

import { h } from "./dom.js";
import { filterOf, filtered } from "./filters.js";
import { sideBySide } from "./crowd.js";
import { errorTree } from "./errors.js";

const SIDE_BY_SIDE = 3;

/** Return the cohorts with those who are in them now: {name, places, filter}. */
export function cohortsNow(book, { cohorts, model }, line) {
  return cohorts.map((one) => ({ name: one.name, filter: filterOf(one), places: filtered(book, one, model, line).places }));
}

/** Return the panel: the people of the list are kept under a name, and those that are stand side by side with everybody. */
export function cohortPanel(book, now, line, places, set) {
  const risk = (i) => book.predictions.get(now.model)[i];
  const name = h("input", { type: "text", id: "workbench-cohort", "aria-label": "Name of the cohort", placeholder: "a name", maxlength: 40 });
  const keep = () => {
    const called = name.value.trim() || now.find || `cohort ${now.cohorts.length + 1}`;
    set({ cohorts: [...now.cohorts.filter((one) => one.name !== called), { name: called, ...filterOf(now) }] });
  };
  const kept = cohortsNow(book, now, line);
  const drop = (called) => set({ cohorts: now.cohorts.filter((one) => one.name !== called) });
  const lines = kept.map((one) =>
    h("li", {}, `${one.name}: ${one.places.length} people `, h("button", { type: "button", onclick: () => set(one.filter) }, "Show"), " ", h("button", { type: "button", "aria-label": `Forget ${one.name}`, onclick: () => drop(one.name) }, "Forget")),
  );
  const shown = book.explanations.find((one) => one.model === now.model && one.is_shapley);
  const beside = [...kept.slice(-SIDE_BY_SIDE), { name: "everybody", places: book.everybody }];
  const isShown = now.tree === "shown";
  const where = h("button", { type: "button", id: "workbench-tree", "aria-expanded": String(isShown), onclick: () => set({ tree: isShown ? "" : "shown" }) }, `Where does ${now.model} err?`);
  return [
    ...(book.people.outcomes ? [h("p", {}, where), ...(isShown ? errorTree(book, now, line, (part) => set({ part })) : [])] : []),
    h("p", {}, `The ${places.length} people in the list above as a cohort: `, name, " ", h("button", { type: "button", onclick: keep }, "Keep")),
    ...(kept.length ? [h("ul", { class: "ways" }, lines), ...sideBySide(book, beside, risk, line, shown)] : [h("p", { class: "quiet" }, "Filter the list, keep it under a name, and it stands here beside everybody.")]),
  ];
}
