// The workbench: a list of people, one of them, and what follows when something is changed.

import { choice, digits, folded, h, percent } from "./dom.js";
import { codeOf, makeState } from "./state.js";
import { asTest } from "./find.js";
import { peopleList } from "./list.js";
import { changeForm } from "./form.js";
import { drawCurve } from "./charts.js";
import { consequences, sideBySide } from "./crowd.js";
import { learnPart } from "./learn.js";
import { saysOfCurves } from "./learn_words.js";
import { takeAlong } from "./letter.js";
import { againstChoice, backgrounds, nearestOthers, typicalRow, whereModelsDiffer } from "./others.js";
import { printSheet } from "./take_sheet.js";
import { offerPictures } from "./take_picture.js";
import { explainTerms } from "./terms.js";
import { changed, contributions, methodChoice, methodsFor, reasonLines, reasons, verdict, waysOf, waysOut } from "./person.js";

const SECONDS = 1; // after which contributions are sharp enough
const UNSEEN = { find: "", sort: "listed", decision: "", group: "", method: "", unit: "", against: "" };
const NEW = "somebody new";
const CURVE = 12; // values of a number at which the risk is told

/** Open the workbench in its place on the page: of a book, by what answers. */
export function openWorkbench(place, book, answers) {
  const { people, target } = book;
  const bench = { book, answers };
  const state = makeState({ ...UNSEEN, person: people.names[0], model: book.main, threshold: book.isValue ? null : target.threshold }, book.columns);
  const placeOf = new Map(people.names.map((name, i) => [name, i]));
  const everybody = Array.from(people.names.keys());
  const cohorts = [];
  let view = null;
  let found = null;
  let stop = () => {};
  let turn = 0;

  const risk = (i, model = state.get().model) => book.predictions.get(model)[i];
  const isWrong = (i, line) => people.outcomes !== null && risk(i) >= line !== (people.outcomes[i] === 1);
  const isDisputed = (i, line) => new Set(book.models.map(({ name }) => risk(i, name) >= line)).size > 1;
  const isFarOff = (i) => people.outcomes !== null && Math.abs(risk(i) - people.outcomes[i]) > 2 * typicalError();
  const ASKED = book.isValue ? ["", "off"] : ["", "had", "flagged", "cleared", "wrong", "disagree"];
  const SHOWN = {
    "": { words: "everybody", test: () => true },
    had: { words: `had ${target.event}`, test: (i) => people.outcomes !== null && people.outcomes[i] === 1 },
    off: { words: "predicted far off", test: isFarOff },
    flagged: { words: target.flagged, test: (i, line) => risk(i) >= line },
    cleared: { words: target.cleared, test: (i, line) => risk(i) < line },
    wrong: { words: "decided wrongly", test: isWrong },
    disagree: { words: "models disagree", test: isDisputed },
  };
  const ORDERS = { listed: "as listed", riskiest: "highest first", safest: "lowest first" };
  for (const column of book.columns) ORDERS[`by:${column.name}`] = `by ${column.label}`;

  function typicalError() {
    const errors = everybody.map((i) => Math.abs(risk(i) - people.outcomes[i])).sort((a, b) => a - b);
    return errors[Math.floor(errors.length / 2)];
  }

  // Where things stand
  const [list, showList] = peopleList("People", (person) => state.set({ person: people.names[person] }));
  const count = h("output", { class: "count", "aria-live": "polite" });
  const search = h("input", { type: "search", id: "workbench-find", placeholder: example(), oninput: () => state.set({ find: search.value }) });
  const [filters, top, why] = [h("div", { class: "choices" }), h("div"), h("div")];
  const [learnFold, learnOf] = learnPart(bench);
  const [changePart, redrawForm] = folded("Change something", drawForm);
  const [waysPart, redrawWays] = folded("Ways out", drawWays);
  const [othersPart, redrawOthers] = folded("Beside others", () => [...nearestOthers(bench, view, state.set), h("h4", {}, "Where models differ about this one"), ...whereModelsDiffer(bench, view)]);
  const [takePart, redrawTake] = folded("Take along", () => takeAlong(bench, view, reasonLines(bench, view, known()), known(), () => printSheet(bench, view, place)));
  const [thresholdPart, redrawThreshold] = folded("The threshold", drawThreshold);
  const [cohortPart, redrawCohorts] = folded("Cohorts", drawCohorts);
  place.replaceChildren(
    h("div", { class: "find" }, h("label", { for: "workbench-find" }, "Look up"), search, count, h("button", { type: "button", onclick: () => state.set({ person: NEW }) }, "Somebody new")),
    filters,
    h("div", { class: "two" }, list, h("div", { class: "who" }, top, changePart, why, learnFold, book.isValue ? "" : waysPart, othersPart, takePart)),
    book.isValue ? "" : thresholdPart,
    cohortPart,
  );

  function example() {
    const number = book.columns.find((one) => one.kind !== "categorical");
    return `a name, a word${number ? `, or ${number.name}>${digits(number.middle, 0).replaceAll(",", "")}` : ""}`;
  }

  // The list
  function chosen() {
    const { find, sort, decision, group, threshold } = state.get();
    const { test, strange } = asTest(find, book, risk);
    const [which, code] = group.split(":").map(Number);
    const isInside = group === "" ? () => true : (i) => people.groups[which].of[i] === code;
    const places = everybody.filter((i) => test(i) && isInside(i) && SHOWN[decision].test(i, threshold));
    const by = book.columns.find((column) => `by:${column.name}` === sort);
    const key = by ? (i) => people.rows[i][by.place] : sort === "riskiest" ? (i) => -risk(i) : risk;
    if (sort !== "listed") places.sort((a, b) => Number(Number.isNaN(key(a))) - Number(Number.isNaN(key(b))) || key(a) - key(b));
    return { places, strange };
  }

  function drawList() {
    const { places, strange } = chosen();
    const { threshold, person } = state.get();
    const number = (some) => some.toLocaleString("en-US");
    count.textContent = strange.length ? `There is no column ${strange.join(", ")}` : `${number(places.length)} of ${number(people.names.length)}`;
    const line = (i) => [
      h("span", { class: "name" }, people.names[i]),
      h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: `bar${!book.isValue && risk(i) >= threshold ? " flagged" : ""}`, style: `width:${book.at(risk(i))}%` }), book.isValue ? null : h("span", { class: "line", style: `left:${book.at(threshold)}%` })),
      h("span", { class: "number" }, book.says(risk(i), threshold)),
      h("span", { class: "mark" }, book.isValue ? (isFarOff(i) ? "off" : "") : isWrong(i, threshold) ? "wrong" : ""),
    ];
    showList({ places, chosen: placeOf.get(person), line });
  }

  function drawFilters() {
    const now = state.get();
    const isTold = (value) => people.outcomes || !["wrong", "had", "off"].includes(value);
    const shown = ASKED.filter(isTold).map((value) => ({ value, words: SHOWN[value].words }));
    const orders = Object.entries(ORDERS).map(([value, words]) => ({ value, words }));
    const groups = people.groups.flatMap((group, i) => group.names.map((name, code) => ({ value: `${i}:${code}`, words: `${group.label}: ${name}` })));
    filters.replaceChildren(
      choice("Show", shown, now.decision, (decision) => state.set({ decision })),
      groups.length ? choice("Group", [{ value: "", words: "all groups" }, ...groups], now.group, (group) => state.set({ group })) : "",
      choice("Order", orders, now.sort, (sort) => state.set({ sort })),
    );
  }

  // The person
  async function look() {
    const now = state.get();
    const mine = (turn += 1);
    const isNew = now.person === NEW;
    const person = isNew ? -1 : (placeOf.get(now.person) ?? 0);
    const original = isNew ? typicalRow(book.columns) : people.rows[person];
    const row = changed(book.columns, original, now.changes);
    const isChanged = isNew || row.some((code, i) => !Object.is(code, original[i]));
    const stored = book.models.map(({ name, colour }) => ({ name, colour, answer: isNew ? null : risk(person, name) }));
    const said = isChanged ? (await answers.risks([row]))[0] : stored;
    if (mine !== turn) return; // somebody else was asked for meanwhile
    const models = said.map((one, k) => ({ ...one, before: stored[k].answer })).filter((one) => one.answer !== null);
    const flags = models.find((one) => one.name === now.model)?.answer >= now.threshold && !book.isValue;
    const isOther = now.against !== "" || now.unit !== "";
    const options = methodsFor(bench, person, now.model, isChanged || isOther);
    const usable = options.filter((one) => !one.why);
    const first = usable.find((one) => one.value === now.method) ?? usable.find((one) => one.is_shapley) ?? usable[0];
    const method = first?.value ?? "";
    view = { ...now, person, name: isNew ? NEW : people.names[person], original, row, isChanged, isNew, isOther, answers: models, isFlagged: flags, options, method, unlike: isChanged ? unlike(row) : "" };
    top.replaceChildren(...verdict(bench, view).filter(Boolean));
    explain();
    [redrawForm, redrawWays, redrawOthers].forEach(keepFocus);
  }

  const known = () => (found && found.values ? found : null);

  function unlike(row) {
    const isBeyond = (column, code) => column.kind !== "categorical" && !column.special.some(([own]) => own === code) && (code < column.low || code > column.high);
    const beyond = book.columns.filter((column) => isBeyond(column, row[column.place])).map((column) => `“${column.label}”`);
    return beyond.length ? `Nobody in the training rows has such a ${beyond.join(", ")}.` : "";
  }

  function explain() {
    stop();
    const { model, method, person, isChanged, isOther, row, options } = view;
    const stored = isChanged || isOther ? null : book.explanations.find((one) => one.model === model && one.method === method && one.place.has(person));
    if (stored) {
      const i = stored.place.get(person);
      const values = stored.valuesAt(i);
      found = { ...stored, values, errors: null, base: stored.base[i], output: values.reduce((sum, value) => sum + value, stored.base[i]) };
      drawWhy();
      return;
    }
    found = null;
    drawWhy();
    if (!method) return;
    const label = options.find((one) => one.value === method).words;
    const { scales } = book.models.find((one) => one.name === model);
    const scale = view.unit && scales.includes(view.unit) ? view.unit : scales[0];
    const { rows } = backgrounds(bench, view, chosen().places)[view.against] ?? { rows: null };
    stop = answers.explain({ model, row, method, scale, seconds: SECONDS, against: rows }, (made) => {
      found = made.values ? { ...made, label, scale, output: made.prediction } : made;
      drawWhy();
    });
  }

  function drawWhy() {
    const known_ = backgrounds(bench, view, chosen().places);
    const against = (known_[view.against] ?? known_[""]).words;
    const choices = h("div", { class: "choices" }, methodChoice(bench, view, view.options, state.set), againstChoice(bench, view, known_, state.set));
    const parts = [reasons(bench, view, known()), choices, ...contributions(bench, view, found, against)];
    keepFocus(() => why.replaceChildren(...parts));
    redrawTake();
    learnOf({ view, found: known(), background: known_[view.against]?.rows ?? book.background });
  }

  function drawForm() {
    const change = (name, code) => {
      const changes = { ...state.get().changes, [name]: code };
      if (Object.is(code, view.original[book.columns.find((one) => one.name === name).place])) delete changes[name];
      state.set({ changes });
    };
    const back = h("button", { type: "button", onclick: () => state.set({ changes: {} }) }, "Take all changes back");
    const form = changeForm(book.columns, view.row, view.original, change);
    const says = h("div");
    curves(view, form).then((said) => said && says.replaceChildren(said));
    return [h("p", {}, ...(view.isChanged ? [back, " "] : []), pasting()), h("p", { class: "quiet" }, `The line over each column is what ${view.model} would say if only that column changed (ICE); grey: the training rows.`), form, says];
  }

  /** A field into which a row is pasted: all values in the table's order, or name: value. */
  function pasting() {
    const field = h("input", { type: "text", "aria-label": "A row to paste", placeholder: "paste a row: values, or name=value; ..." });
    field.addEventListener("change", () => {
      const parts = field.value.split(/[\t;]/).map((part) => part.trim());
      const isWhole = parts.length === book.columns.length;
      const pairs = isWhole ? parts.map((part, i) => [book.columns[i], part]) : parts.map((part) => part.split(/=(.*)/)).map(([name, text]) => [book.columns.find((one) => [one.name, one.label].includes(name.trim())), text]);
      const strange = pairs.findIndex(([column, text]) => !column || text === undefined || (Number.isNaN(codeOf(column, text.trim())) && column.missing === null));
      field.setCustomValidity(strange < 0 ? "" : `“${parts[strange]}” is no value of a column here`);
      if (!field.reportValidity()) return;
      state.set({ changes: { ...state.get().changes, ...Object.fromEntries(pairs.map(([column, text]) => [column.name, codeOf(column, text.trim())])) } });
    });
    return field;
  }

  /** Draw over each column's spread what the shown model says at its values, all else as it is (individual conditional expectation). */
  async function curves(drawn, form) {
    const grid = book.columns.map((column) => (column.kind === "categorical" ? column.levels.map((_, level) => level) : Array.from({ length: CURVE }, (_, i) => column.low + ((column.high - column.low) * i) / (CURVE - 1))));
    const rows = grid.flatMap((values, place) => values.map((value) => Float64Array.from(drawn.row, (code, i) => (i === place ? value : code))));
    const risks = [];
    for (let i = 0; i < rows.length; i += 200) risks.push(...(await answers.risks(rows.slice(i, i + 200))));
    const model = book.models.findIndex((one) => one.name === drawn.model);
    let at = 0;
    const all = grid.map((values, place) => {
      const said = values.map(() => risks[at++][model].answer);
      if (said[0] !== null) drawCurve(form.children[place].querySelector("svg"), said, book.at, book.columns[place].kind === "categorical");
      return said;
    });
    return all[0][0] === null ? null : saysOfCurves(book, drawn, all);
  }

  function drawWays() {
    const ways = waysOf(bench, view);
    const place = h("div", {}, ways.length ? "Asking the other models …" : "");
    const take = (changes) => state.set({ changes: { ...changes } });
    const asked = ways.length ? answers.risks(ways.map(({ row }) => row)) : Promise.resolve([]);
    const drawn = view;
    asked.then((risks) => place.replaceChildren(...waysOut(bench, drawn, ways.map((way, i) => ({ ...way, risks: risks[i] })), take)));
    return place;
  }

  // Many people
  function drawThreshold() {
    const { threshold } = state.get();
    const slider = h("input", { type: "range", id: "workbench-threshold", min: 0.01, max: 0.99, step: 0.01, value: threshold, "aria-label": "Threshold", oninput: () => state.set({ threshold: Number(slider.value) }) });
    const back = threshold === target.threshold ? target.reason : h("button", { type: "button", onclick: () => state.set({ threshold: target.threshold }) }, `back to ${percent(target.threshold)}`);
    return [h("p", {}, slider, ` ${percent(threshold)} `, back), ...consequences(book, chosen().places, risk, threshold)];
  }

  function drawCohorts() {
    const { places } = chosen();
    const { find, model, threshold } = state.get();
    const name = h("input", { type: "text", "aria-label": "Name of the cohort", value: find || "everybody", maxlength: 40 });
    const keep = () => {
      cohorts.push({ name: name.value || `cohort ${cohorts.length + 1}`, places });
      redrawCohorts();
    };
    const shown = book.explanations.find((one) => one.model === model && one.is_shapley);
    const beside = [...cohorts.slice(-2), { name: "everybody", places: everybody }];
    return [
      h("p", {}, `The ${places.length} people in the list above as a cohort: `, name, " ", h("button", { type: "button", onclick: keep }, "Keep")),
      ...(cohorts.length ? sideBySide(book, beside, risk, threshold, shown) : [h("p", { class: "quiet" }, "Filter the list, keep it under a name, and it stands here beside everybody.")]),
    ];
  }

  function keepFocus(redraw) {
    const id = document.activeElement?.id;
    redraw();
    if (id) document.getElementById(id)?.focus({ preventScroll: true });
  }

  state.listen((now, before) => {
    const is = (...names) => names.some((name) => now[name] !== before[name]);
    if (search.value !== now.find) search.value = now.find;
    if (is("decision", "group", "sort")) keepFocus(drawFilters);
    if (is("find", "decision", "group", "sort", "model", "threshold", "person")) drawList();
    if (is("person", "model", "method", "changes", "threshold")) look();
    if (is("find", "decision", "group", "model", "threshold")) [redrawThreshold, redrawCohorts].forEach(keepFocus);
  });
  explainTerms(place, book.words);
  offerPictures(place, (figure) => `${book.case.name}-${view.name}-${figure}`);
  drawFilters();
  drawList();
  look();
  const follow = () => state.read(location.hash.slice(1)) && place.scrollIntoView();
  addEventListener("hashchange", follow);
  follow();
  place.dataset.ready = "yes";
}
