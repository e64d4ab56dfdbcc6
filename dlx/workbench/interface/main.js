// The workbench: a list of people, one of them, and what follows when something is changed.

import { choice, digits, folded, h, percent } from "./dom.js";
import { openBook } from "./book.js";
import { makeState } from "./state.js";
import { asTest } from "./find.js";
import { peopleList } from "./list.js";
import { makeAsk, makePredict } from "./answers.js";
import { work } from "./worker.js";
import { changeForm } from "./form.js";
import { consequences, sideBySide } from "./crowd.js";
import { contributions, methodChoice, methodsFor, reasons, verdict, waysOut } from "./person.js";

const SECONDS = 1;

function open(place, source) {
  const book = openBook(JSON.parse(document.getElementById("workbench-book").textContent));
  const answers = makePredict(book);
  const bench = { book, answers, ask: makeAsk(book, source), risksOf };
  const first = { person: book.people.names[0], model: book.main, method: "", threshold: book.target.threshold, find: "", sort: "listed", decision: "", group: "", cohort: "" };
  const state = makeState(first, book.columns);
  const known = new Map(book.models.map((one) => [one.name, answers.can(one.name) ? answers.predict(one.name, book.people.rows, "probability") : null]));
  const cohorts = [];
  const placeOf = new Map(book.people.names.map((name, i) => [name, i]));
  const stepOf = Math.max(0.001, 0.01);
  let found = null;
  let stop = () => {};

  function risksOf(row) {
    return book.models.map((one) => ({ name: one.name, colour: one.colour, probability: answers.can(one.name) ? answers.predict(one.name, [row], "probability")[0] : null }));
  }

  const riskOf = (model) => (i) => known.get(model)?.[i] ?? NaN;

  function chosen() {
    const { find, sort, decision, group, model, threshold } = state.get();
    const risk = riskOf(model);
    const { test, strange } = asTest(find, book, risk);
    const [which, code] = group.split(":").map(Number);
    const isGroup = group === "" ? () => true : (i) => book.people.groups[which].of[i] === code;
    const places = Array.from(book.people.names.keys()).filter((i) => test(i) && isGroup(i) && decisions[decision](i, risk(i), threshold));
    if (sort !== "listed") places.sort((a, b) => (sort === "riskiest" ? risk(b) - risk(a) : risk(a) - risk(b)));
    return { places, strange };
  }

  const outcomes = book.people.outcomes;
  const decisions = {
    "": () => true,
    flagged: (_, risk, line) => risk >= line,
    cleared: (_, risk, line) => risk < line,
    wrong: (i, risk, line) => outcomes !== null && risk >= line !== (outcomes[i] === 1),
    disagree: (i, _, line) => new Set(book.models.filter((one) => known.get(one.name)).map((one) => known.get(one.name)[i] >= line)).size > 1,
  };

  // What is drawn
  const [list, showList] = peopleList("People", (person) => state.set({ person: book.people.names[person] }));
  const count = h("output", { class: "count", "aria-live": "polite" });
  const search = h("input", { type: "search", id: "workbench-find", placeholder: `a name, a word, ${example()}`, oninput: () => state.set({ find: search.value }) });
  const filters = h("div", { class: "choices" });
  const who = h("div", { class: "who" });
  const top = h("div");
  const why = h("div");
  const form = h("div");
  const bottom = h("div");
  who.append(top, why);
  const [changePart, redrawForm] = folded("Change something", () => formNow());
  const [waysPart, redrawWays] = folded("Ways out", () => waysOut(bench, view(), (changes) => state.set({ changes: { ...changes } })));
  const [crowdPart, redrawCrowd] = folded("The threshold", () => thresholdNow());
  const [cohortPart, redrawCohorts] = folded("Cohorts", () => cohortsNow());
  who.append(changePart, waysPart);
  bottom.append(crowdPart, cohortPart);
  place.replaceChildren(
    h("div", { class: "find" }, h("label", { for: "workbench-find" }, "Look up"), search, count),
    filters,
    h("div", { class: "two" }, list, who),
    bottom,
  );

  function example() {
    const number = book.columns.find((one) => one.kind !== "categorical");
    return number ? `or ${number.name}>${digits(number.middle, 0).replaceAll(",", "")}` : "or column:level";
  }

  function view() {
    const now = state.get();
    const person = placeOf.get(now.person) ?? 0;
    const original = book.people.rows[person];
    const row = Float64Array.from(original);
    for (const column of book.columns) if (column.name in now.changes) row[column.place] = now.changes[column.name];
    const isChanged = row.some((code, i) => !Object.is(code, original[i]));
    const before = new Map(risksOf(original).map((one) => [one.name, one.probability]));
    const said = risksOf(row).map((one) => ({ ...one, before: before.get(one.name) })).filter((one) => one.probability !== null);
    const mine = said.find((one) => one.name === now.model);
    const base = { ...now, person, name: book.people.names[person], original, row, isChanged, answers: said, isFlagged: mine.probability >= now.threshold };
    const options = methodsFor(bench, person, now.model, isChanged);
    const usable = options.filter((one) => !one.why);
    const method = (usable.find((one) => one.value === now.method) ?? usable.find((one) => bench.book.explanations.some((e) => e.method === one.value && e.is_shapley)) ?? usable[0])?.value ?? "";
    return { ...base, method, options, unlike: unlike(row, isChanged) };
  }

  function unlike(row, isChanged) {
    if (!isChanged) return "";
    const beyond = book.columns.filter((column) => column.kind !== "categorical" && !column.special.some(([code]) => code === row[column.place]) && (row[column.place] < column.low || row[column.place] > column.high));
    return beyond.length ? `Nobody in the training rows has such a ${beyond.map((one) => `“${one.label}”`).join(", ")}.` : "";
  }

  function explain() {
    stop();
    const now = view();
    const stored = now.isChanged ? null : book.explanations.find((one) => one.model === now.model && one.method === now.method && one.place.has(now.person));
    if (stored) {
      const i = stored.place.get(now.person);
      const values = stored.valuesAt(i);
      found = { ...stored, values, errors: null, base: stored.base[i], output: stored.base[i] + values.reduce((sum, value) => sum + value, 0) };
      drawWhy();
      return;
    }
    found = null;
    drawWhy();
    const model = book.models.find((one) => one.name === now.model);
    if (!answers.can(now.model)) return;
    const label = now.options.find((one) => one.value === now.method)?.words ?? now.method;
    stop = bench.ask({ model: now.model, row: now.row, method: now.method, scale: model.scales[0], seconds: SECONDS }, (made) => {
      found = made.failed ? made : { ...made, label, scale: model.scales[0], output: made.prediction };
      drawWhy();
    });
  }

  function drawWhy() {
    const now = view();
    why.replaceChildren(reasons(bench, now, found && !found.failed ? found : null), methodChoice(bench, now, now.options, state.set), ...contributions(bench, now, found));
  }

  function formNow() {
    const now = view();
    const change = (name, code) => {
      const changes = { ...state.get().changes, [name]: code };
      if (Object.is(code, now.original[book.columns.find((one) => one.name === name).place])) delete changes[name];
      state.set({ changes });
    };
    const reset = now.isChanged ? h("p", {}, h("button", { type: "button", onclick: () => state.set({ changes: {} }) }, "Take all changes back")) : null;
    return [reset, changeForm(book.columns, now.row, now.original, change)].filter(Boolean);
  }

  function thresholdNow() {
    const { threshold, model } = state.get();
    const slider = h("input", { type: "range", min: 0.01, max: 0.99, step: stepOf, value: threshold, "aria-label": "Threshold", onchange: () => state.set({ threshold: Number(slider.value) }) });
    return [h("p", {}, slider, ` ${percent(threshold)}${threshold === book.target.threshold ? `, ${book.target.reason}` : ""}`), ...consequences(book, chosen().places, riskOf(model), threshold)];
  }

  function cohortsNow() {
    const { places } = chosen();
    const name = h("input", { type: "text", "aria-label": "Name of the cohort", value: state.get().find || "everybody", maxlength: 40 });
    const keep = () => {
      cohorts.push({ name: name.value || `cohort ${cohorts.length + 1}`, places });
      redrawCohorts();
    };
    const shown = book.explanations.find((one) => one.model === state.get().model && one.is_shapley);
    const everybody = { name: "everybody", places: Array.from(book.people.names.keys()) };
    const two = [...cohorts.slice(-2), everybody].slice(0, 3);
    return [
      h("p", {}, `The ${places.length} people in the list above as a cohort: `, name, " ", h("button", { type: "button", onclick: keep }, "Keep")),
      ...(cohorts.length ? sideBySide(book, two, riskOf(state.get().model), state.get().threshold, shown) : []),
    ];
  }

  function drawFilters() {
    const now = state.get();
    const { target } = book;
    const each = [["", "everybody"], ["flagged", target.flagged], ["cleared", target.cleared], ...(outcomes ? [["wrong", "decided wrongly"]] : []), ["disagree", "models disagree"]];
    const groups = book.people.groups.flatMap((group, i) => group.names.map((name, code) => ({ value: `${i}:${code}`, words: `${group.label}: ${name}` })));
    const sorts = [["listed", "as listed"], ["riskiest", "highest risk first"], ["safest", "lowest risk first"]];
    filters.replaceChildren(
      choice("Show", each.map(([value, words]) => ({ value, words })), now.decision, (decision) => state.set({ decision })),
      groups.length ? choice("Group", [{ value: "", words: "all groups" }, ...groups], now.group, (group) => state.set({ group })) : "",
      choice("Order", sorts.map(([value, words]) => ({ value, words })), now.sort, (sort) => state.set({ sort })),
    );
  }

  function drawList() {
    const { places, strange } = chosen();
    const { model, threshold, person } = state.get();
    const risk = riskOf(model);
    count.textContent = strange.length ? `There is no column ${strange.join(", ")}` : `${places.length.toLocaleString("en-US")} of ${book.people.names.length.toLocaleString("en-US")}`;
    showList({
      places,
      chosen: placeOf.get(person),
      line: (i) => [
        h("span", { class: "name" }, book.people.names[i]),
        h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: `bar${risk(i) >= threshold ? " flagged" : ""}`, style: `width:${100 * risk(i)}%` }), h("span", { class: "line", style: `left:${100 * threshold}%` })),
        h("span", { class: "number" }, percent(risk(i), threshold)),
        h("span", { class: "mark" }, outcomes && risk(i) >= threshold !== (outcomes[i] === 1) ? "wrong" : ""),
      ],
    });
  }

  state.listen((now, before) => {
    const is = (...names) => names.some((name) => now[name] !== before[name]);
    if (search.value !== now.find) search.value = now.find;
    if (is("decision", "group", "sort")) drawFilters();
    if (is("find", "decision", "group", "sort", "model", "threshold", "person")) drawList();
    if (is("person", "model", "method", "changes", "threshold")) {
      top.replaceChildren(...verdict(bench, view()).filter(Boolean));
      explain();
      redrawWays();
    }
    if (is("person", "changes", "model")) keepFocus(redrawForm);
    if (is("threshold", "model", "find", "decision", "group")) [redrawCrowd, redrawCohorts].forEach(keepFocus);
  });

  function keepFocus(redraw) {
    const id = document.activeElement?.id;
    redraw();
    if (id) document.getElementById(id)?.focus({ preventScroll: true });
  }

  drawFilters();
  drawList();
  top.replaceChildren(...verdict(bench, view()).filter(Boolean));
  explain();
  const follow = () => {
    if (state.read(location.hash.slice(1))) place.scrollIntoView();
  };
  addEventListener("hashchange", follow);
  follow();
  place.dataset.ready = "yes";
}

if (typeof document === "undefined") work(self);
else {
  const place = document.getElementById("workbench");
  if (place) open(place, URL.createObjectURL(new Blob([document.currentScript.textContent], { type: "text/javascript" })));
}
