// The workbench: a list of people, one of them, and what follows when something is changed.

import { capital, choice, digits, fill, folded, h, percent } from "./dom.js";
import { makeState } from "./state.js";
import { NO_FILTER, decisionsOf, filtered } from "./filters.js";
import { peopleList } from "./list.js";
import { changePanel } from "./change.js";
import { cohortPanel, cohortsNow } from "./cohorts.js";
import { consequences } from "./crowd.js";
import { partWords } from "./errors.js";
import { endsOf, lineAt, rangePanel } from "./line.js";
import { learnPart } from "./learn.js";
import { offerPictures } from "./take_picture.js";
import { explainTerms } from "./terms.js";
import { printSheet, takeAlong } from "./take_along.js";
import { alignmentPart } from "./alignment.js";
import { againstChoice, backgrounds, beforeAndAfter, nearestOthers, typicalRow, whereModelsDiffer } from "./others.js";
import { changed, contributions, methodChoice, methodsFor, reasonLines, reasons, predictions, waitingFor, waysOf, waysOut, withRows } from "./person.js";
import { unlikeAnybody } from "./seen.js";
import { openBook } from "./book.js";

const SECONDS = 1; // after which contributions are sharp enough
const UNSEEN = { ...NO_FILTER, sort: "listed", method: "", unit: "", against: "", possible: "", tree: "" };
const NEW = "somebody new";
const EVERY_TASK = ["binary", "regression"];

/** Return a function that makes something again only when its key is another than the last time. */
function latest(keyOf, make) {
  let [key, made] = [null, null];
  return () => {
    const now = keyOf();
    if (now !== key) [key, made] = [now, make()];
    return made;
  };
}

/**
 * Open the workbench in its place on the page: of a book, by what answers. Of several classes it is told of one, and `pick`
 * opens it of another. Returns how to close it.
 */
function openWorkbench(place, book, answers, classes, pick) {
  const { people, target, everybody } = book;
  const bench = { book, answers };
  const opened = { ...UNSEEN, class: classes?.told ?? "", person: people.names[0], model: book.main, threshold: target.threshold, range: target.range };
  const placeOf = new Map(people.names.map((name, i) => [name, i]));
  const fits = {
    class: (name) => classes?.names.includes(name) ?? false,
    person: (name) => name === NEW || placeOf.has(name),
    model: (name) => book.predictions.has(name),
    threshold: (share) => share > 0 && share < 1,
    range: (text) => endsOf(text)[0] <= endsOf(text)[1],
    sort: (name) => name in ORDERS,
    group: (text) => groups.some(({ value }) => value === text),
    part: (text) => partWords(book, text) !== "",
  };
  const groups = people.groups.flatMap((group, i) => group.names.map((name, code) => ({ value: `${i}:${code}`, words: `${group.label}: ${name}` })));
  const state = makeState({ ...opened }, book.columns, fits);
  const closing = new AbortController();
  let view = null;
  let found = null;
  let [stop, stopBefore, stopWays] = [() => {}, () => {}, () => {}];
  let turn = 0;
  const alignments = new Map(); // what was measured of each model, or is being measured

  const risk = (i, model = state.get().model) => book.predictions.get(model)[i];
  const line = () => lineAt(book, state.get());
  const ORDERS = { listed: "as listed", riskiest: "highest first", safest: "lowest first" };
  for (const column of book.columns) ORDERS[`by:${column.name}`] = `by ${column.label}`;

  // Where things stand. A panel says of which targets it can tell; it is drawn when it is opened.
  const panels = (every) => every.filter(({ tasks }) => tasks.includes(target.kind)).map(({ title, draw }) => folded(title, draw));
  const [list, showList] = peopleList("People", (person) => state.set({ person: people.names[person] }));
  const count = h("output", { class: "count", "aria-live": "polite" });
  const search = h("input", { type: "search", id: "workbench-find", placeholder: example(), oninput: () => state.set({ find: search.value }), onkeydown: ({ key }) => key === "Enter" && showFound() });
  const [filters, top, strange] = [h("div", { class: "choices" }), h("div"), h("p", { class: "strange", role: "status" })];
  const [whyReasons, whyChoices, whyColumns] = [h("div"), h("div", { class: "choices" }), h("div")];
  const why = h("div", {}, whyReasons, whyChoices, whyColumns);
  const showChange = changePanel(bench, state);
  const ofPerson = panels([
    { title: "Change something", tasks: EVERY_TASK, draw: () => showChange(view) },
    { title: "Ways out", tasks: EVERY_TASK, draw: drawWays },
    { title: "Beside others", tasks: EVERY_TASK, draw: () => [...nearestOthers(bench, view, state.set), h("h4", {}, "Where models differ about this one"), ...whereModelsDiffer(bench, view)] },
    { title: "Take along: letter, one page, CSV", tasks: EVERY_TASK, draw: () => takeAlong(bench, view, reasonLines(bench, view, known()), known(), () => printSheet(bench, view, place)) },
  ]);
  const slider = h("input", { type: "range", id: "workbench-threshold", min: 0.01, max: 0.99, step: 0.01, "aria-label": "Threshold", oninput: () => state.set({ threshold: Number(slider.value) }) });
  const sliderLine = h("p");
  const ofCrowd = panels([
    { title: "The threshold", tasks: ["binary"], draw: drawThreshold },
    { title: "The range", tasks: ["regression"], draw: () => [...rangePanel(book, state), ...consequences(book, chosen().places, risk, line())] },
    { title: "Cohorts", tasks: EVERY_TASK, draw: () => cohortPanel(book, state.get(), line(), chosen().places, state.set) },
  ]);
  const ofMethods = panels(answers.alignment ? [{ title: "Do methods disagree, or are they asked differently?", tasks: EVERY_TASK, draw: drawAlignment }] : []);
  const [[changePart], ...otherParts] = ofPerson;
  const [learnFold, learnOf] = learnPart(bench);
  const [beforePart, redrawBefore] = folded("Before and after", drawBefore);
  const redrawOf = (some) => some.forEach(([, redraw]) => keepFocus(redraw));
  const root = h(
    "div",
    {},
    h("div", { class: "find" }, h("label", { for: "workbench-find" }, "Look up"), search, count, h("button", { type: "button", onclick: () => state.set({ person: NEW }) }, "Somebody new")),
    strange,
    filters,
    h("div", { class: "two" }, list, h("div", { class: "who" }, top, changePart, why, beforePart, learnFold, ofMethods.map(([part]) => part), otherParts.map(([part]) => part))),
    ...ofCrowd.map(([part]) => part),
  );

  function example() {
    const number = book.columns.find((one) => one.kind !== "categorical");
    return `a name, a word${number ? `, or ${number.name}>${digits(number.middle, 0).replaceAll(",", "")}` : ""}`;
  }

  // The list
  function chosen() {
    const now = state.get();
    const { places, strange } = filtered(book, now, now.model, line());
    const by = book.columns.find((column) => `by:${column.name}` === now.sort);
    const key = by ? (i) => people.rows[i][by.place] : now.sort === "riskiest" ? (i) => -risk(i) : risk;
    if (now.sort !== "listed") places.sort((a, b) => Number(Number.isNaN(key(a))) - Number(Number.isNaN(key(b))) || key(a) - key(b));
    return { places, strange };
  }

  /** Show who goes by the name that was typed; where nobody does, the first of the list. */
  function showFound() {
    const { places } = chosen();
    const place = places.find((i) => people.names[i] === search.value.trim()) ?? places[0];
    if (place !== undefined) state.set({ person: people.names[place] });
  }

  function drawList() {
    const { places, strange } = chosen();
    const { isFlagged, isWrong, ends, says } = line();
    const number = (some) => some.toLocaleString("en-US");
    count.textContent = strange.length ? `There is no column ${strange.join(", ")}` : `${number(places.length)} of ${number(people.names.length)}`;
    const told = (i) => [
      h("span", { class: "name" }, people.names[i]),
      h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: `bar${isFlagged(risk(i)) ? " flagged" : ""}`, style: `width:${book.at(risk(i))}%` }), ends.map((end) => h("span", { class: "line", style: `left:${book.at(end)}%` }))),
      h("span", { class: "number" }, book.isValue ? digits(risk(i), book.decimals) : says(risk(i))),
      h("span", { class: "mark" }, people.outcomes && isWrong(risk(i), people.outcomes[i]) ? "wrong" : ""),
    ];
    showList({ places, chosen: placeOf.get(state.get().person), line: told });
  }

  function drawFilters() {
    const now = state.get();
    const orders = Object.entries(ORDERS).map(([value, words]) => ({ value, words }));
    const kept = now.cohorts.map(({ name }) => ({ value: name, words: name }));
    const cohort = now.cohorts.find((one) => Object.keys(NO_FILTER).every((name) => one[name] === now[name]))?.name ?? "";
    const filterOfCohort = (name) => ({ ...NO_FILTER, ...Object.fromEntries(Object.entries(now.cohorts.find((one) => one.name === name) ?? {}).filter(([key]) => key !== "name")) });
    filters.replaceChildren(
      ...[
        classes && choice(capital(classes.label), classes.names.map((one) => ({ value: one, words: one })), now.class, (one) => state.set({ class: one })),
        choice("Show", decisionsOf(book, now.model, line()), now.decision, (decision) => state.set({ decision })),
        groups.length && choice("Group", [{ value: "", words: "all groups" }, ...groups], now.group, (group) => state.set({ group })),
        kept.length && choice("Cohort", [{ value: "", words: "none" }, ...kept], cohort, (name) => state.set(filterOfCohort(name))),
        choice("Order", orders, now.sort, (sort) => state.set({ sort })),
        now.part && h("button", { type: "button", onclick: () => state.set({ part: "" }) }, `Only ${partWords(book, now.part)} ✕`),
      ].filter(Boolean),
    );
  }

  // The person
  async function look() {
    const now = state.get();
    const mine = (turn += 1);
    const isNew = now.person === NEW;
    const person = isNew ? -1 : placeOf.get(now.person);
    const original = isNew ? typicalRow(book.columns) : people.rows[person];
    const row = changed(book.columns, original, now.changes);
    const isChanged = isNew || row.some((code, i) => !Object.is(code, original[i]));
    const isOther = now.against !== "" || now.unit !== "";
    const options = methodsFor(bench, person, now.model, isChanged || isOther);
    const usable = options.filter((one) => !one.why);
    const first = usable.find((one) => one.value === now.method) ?? usable.find((one) => one.is_shapley) ?? usable[0];
    const isSame = view?.name === now.person && view.model === now.model;
    view = { ...now, line: line(), person, name: now.person, original, row, isChanged, isNew, isOther, options, method: first?.value ?? "", answers: null };
    explain(); // first of all: it takes longest
    const stored = book.models.map(({ name, colour }) => ({ name, colour, answer: isNew ? null : risk(person, name) }));
    const said = isChanged ? (await answers.risks([row]))[0] : stored;
    if (mine !== turn) return; // somebody else was asked for meanwhile
    view.answers = said.map((one, k) => ({ ...one, before: stored[k].answer }));
    view.said = view.answers.find((one) => one.name === now.model);
    view.isFlagged = view.said.answer !== null && line().isFlagged(view.said.answer);
    view.unlike = isChanged ? unlikeAnybody(book, row) : "";
    top.replaceChildren(...predictions(bench, view).filter(Boolean));
    beforePart.hidden = !isChanged || isNew;
    const isComing = isSame && view.method !== "" && !found;
    if (isComing) {
      why.setAttribute("aria-busy", "true"); // it is of before
      await new Promise((done) => setTimeout(done)); // the answer is on the screen before the rest is drawn
      if (mine !== turn) return;
    }
    drawChoices();
    if (found || !isComing) drawWhy();
    redrawOf([...ofPerson, ...ofMethods]);
    keepFocus(redrawBefore);
  }

  const known = () => (found && found.values ? found : null);
  const whom = latest(
    () => JSON.stringify({ ...state.get(), changes: null, method: null, unit: null }),
    () => backgrounds(bench, view, chosen().places, cohortsNow(book, state.get(), line())),
  );

  /** Tell `update` what the method in view says of a row: what is stored, or what is computed; return how to stop it. */
  function contributionsOf(row, isAsStored, update, agreed = false) {
    const { model, method, person, options } = view;
    const stored = isAsStored && book.explanations.find((one) => one.model === model && one.method === method && one.place.has(person));
    if (stored) {
      const i = stored.place.get(person);
      const values = stored.valuesAt(i);
      update({ ...stored, values, errors: null, base: stored.base[i], output: values.reduce((sum, value) => sum + value, stored.base[i]) });
      return () => {};
    }
    if (!method) return () => {};
    const label = options.find((one) => one.value === method).words;
    const { scales } = book.models.find((one) => one.name === model);
    const scale = view.unit && scales.includes(view.unit) ? view.unit : scales[0];
    const { rows } = (view.against && whom()[view.against]) || { rows: null };
    return answers.explain({ model, row, method, scale, seconds: SECONDS, against: rows, agreed }, (made) => update(made.values ? { ...made, label, scale, output: made.prediction } : made));
  }

  function explain(agreed = false) {
    stop();
    found = null;
    stop = contributionsOf(view.row, !view.isChanged && !view.isOther, (made) => {
      found = made;
      if (view.answers) drawWhy(); // else drawn as soon as they are there
    }, agreed);
  }

  const waitingWhy = waitingFor({ goOn: () => (explain(true), drawWhy()), cancel: () => (stop(), (found = { failed: "Cancelled." }), drawWhy()) });

  function drawChoices() {
    keepFocus(() => whyChoices.replaceChildren(...[methodChoice(bench, view, view.options, state.set), againstChoice(bench, view, whom(), state.set)].flat().filter(Boolean)));
  }

  function drawWhy() {
    const known_ = whom();
    const { words, count } = known_[view.against] ?? known_[""];
    why.removeAttribute("aria-busy");
    why.style.minHeight = found ? "" : `${why.offsetHeight}px`; // so that nothing jumps until it is there
    whyReasons.replaceChildren(reasons(bench, view, known()));
    keepFocus(() => fill(whyColumns, contributions(bench, view, found, words + count, waitingWhy)));
    ofPerson.at(-1)[1](); // what is taken along
    learnOf({ view, found: known(), background: known_[view.against]?.rows ?? book.background });
  }

  function drawBefore() {
    const box = h("div", {}, "Computing …");
    stopBefore();
    let [before, after] = [null, null];
    const draw = () => before?.values && after?.values && box.replaceChildren(beforeAndAfter(book.columns, view, before, after));
    const stops = [
      contributionsOf(view.original, !view.isOther, (made) => ((before = made), draw())),
      contributionsOf(view.row, false, (made) => ((after = made), draw())),
    ];
    stopBefore = () => stops.forEach((one) => one());
    return box;
  }

  function drawWays() {
    const box = h("div");
    const drawn = view;
    const take = (changes) => state.set({ changes: { ...changes } });
    const show = async (found) => {
      const ways = withRows(bench, drawn, found);
      const risks = ways.length ? await answers.risks(ways.map(({ row }) => row)) : [];
      box.replaceChildren(...waysOut(bench, drawn, ways.map((way, i) => ({ ...way, risks: risks[i] })), take));
    };
    const { model, person, threshold, range, isNew } = view;
    const waiting = waitingFor({ goOn: () => ask(true), cancel: () => (stopWays(), box.replaceChildren("Cancelled.")) });
    const ask = (agreed) => {
      stopWays = answers.ways({ model, person, threshold, range, agreed }, (made) => (made.ways ? show(made.ways) : fill(box, waiting(made))));
    };
    stopWays();
    if (answers.ways && !isNew && line().isFlagged(risk(person, model))) ask(false);
    else show(waysOf(bench, drawn));
    return box;
  }

  /** Ask the server how far methods are apart about the model in view, once; as it is measured, and what it takes, is shown. */
  function drawAlignment() {
    const { model } = view;
    if (!alignments.has(model)) {
      const box = h("div");
      alignments.set(model, box);
      let stop = () => {};
      const ask = (agreed) => {
        stop = answers.alignment({ model, agreed }, (made) => {
          if (made.pairs) book.alignment.pairs.push(...made.pairs);
          fill(box, made.pairs ? [alignmentPart(book, model)] : waiting(made));
        });
      };
      const cancel = () => {
        stop();
        alignments.delete(model);
        box.replaceChildren("Cancelled.");
      };
      const waiting = waitingFor({ goOn: () => ask(true), cancel });
      ask(false);
    }
    return alignments.get(model);
  }

  // Many people
  function drawThreshold() {
    const { threshold } = state.get();
    const isOwn = threshold === target.threshold;
    const back = isOwn ? "" : h("button", { type: "button", onclick: () => state.set({ threshold: target.threshold }) }, `back to ${percent(target.threshold)}`);
    const reason = isOwn && target.reason ? [h("p", { class: "quiet" }, `${target.reason}.`)] : [];
    slider.value = threshold;
    fill(sliderLine, [slider, ` ${percent(threshold)} `, back]);
    return [sliderLine, ...reason, ...consequences(book, chosen().places, risk, line(), threshold)];
  }

  function keepFocus(redraw) {
    const id = document.activeElement?.id;
    redraw();
    if (id) document.getElementById(id)?.focus({ preventScroll: true });
  }

  state.listen((now, before) => {
    const is = (...names) => names.some((name) => now[name] !== before[name]);
    if (classes && now.class !== classes.now) {
      state.write(); // the workbench of the other class opens at the link
      return pick(now.class);
    }
    if (search.value !== now.find) search.value = now.find;
    strange.textContent = now.strange.length ? `Nothing here is ${now.strange.join(", ")}, as the link says.` : "";
    const isLine = is("threshold", "range");
    if (is("decision", "group", "sort", "part", "find", "cohorts", "range", "model")) keepFocus(drawFilters);
    const isList = isLine || is(...Object.keys(NO_FILTER), "model");
    if (isList || is("sort", "person")) drawList();
    const isAgainstOthers = /^(listed|cohort:)/.test(now.against) && (isList || is("cohorts"));
    if (isLine || isAgainstOthers || is("person", "model", "method", "unit", "against", "changes", "possible")) look();
    if (isList || is("cohorts", "tree")) redrawOf(ofCrowd);
  });
  place.replaceChildren(root);
  explainTerms(root, book.words);
  offerPictures(root, (figure) => `${book.case.name}-${view.name}-${figure}`);
  drawFilters();
  drawList();
  look();
  const follow = () => state.read(location.hash.slice(1)) && place.scrollIntoView();
  addEventListener("hashchange", follow, { signal: closing.signal });
  if (classes) state.get().class = classes.now;
  follow();
  place.dataset.ready = "yes";
  return () => (closing.abort(), stop(), stopBefore(), stopWays());
}

/**
 * Open the workbench of the class that a link names, or of the one that the page tells of.
 *
 * `held` is what is shared; `bookOf(name)` gives what is of a class, a promise or not; `answersFor(book)` what answers.
 */
export function openClasses(place, held, bookOf, answersFor) {
  const { classes } = held;
  let close = () => {};
  const open = async (name) => {
    const book = openBook({ ...held, ...(await bookOf(name)) });
    close();
    const answers = answersFor(book);
    const closeThis = openWorkbench(place, book, answers, classes && { ...classes, now: name }, open);
    close = () => (closeThis(), answers.close());
  };
  const asked = new URLSearchParams(location.hash.slice(1)).get("class");
  return open(classes?.names.includes(asked) ? asked : classes?.told);
}
