// One person: what the models say, the reasons that may be given, why, and the ways out.

import { capital, choice, digits, h, percent } from "./dom.js";
import { methodsOnOneAxis, orderOf, riskBars, waterfall } from "./charts.js";
import { alignmentPart } from "./alignment.js";
import { saysOfContributions, saysOfMethods, saysOfRisks, unitsOf } from "./learn_words.js";
import { reasonWords, valueWords } from "./book.js";

const REASONS = 4;
const UNITS = { logit: "log-odds", probability: "percentage points", value: "value" };
/** The methods that can tell of somebody: those stored for them, and those that can be computed; why the others cannot. */
export function methodsFor({ book, answers }, person, model, isChanged) {
  const computed = answers.methods(model);
  const isComputed = (name) => computed.some((one) => one.value === name);
  const why = isChanged ? "not computed for changed values" : "not computed for this person: dlx explain does";
  const stored = book.explanations.filter((one) => one.model === model);
  const options = stored.map((one) => {
    const isKnown = !isChanged && one.place.has(person);
    const { method: value, label: words, is_shapley, is_random, shown_as } = one;
    return { value, words, is_shapley, is_random, shown_as, why: isKnown || isComputed(one.method) ? "" : why };
  });
  const others = computed.filter((one) => !options.some(({ value }) => value === one.value));
  const here = stored.length ? ", computed here" : "";
  return [...options, ...others.map((one) => ({ ...one, words: one.words + here, why: "" }))];
}

function outcomeWords({ target, isValue, says }, outcome) {
  if (isValue) return `“${target.label}” of this ${target.person} was ${says(outcome)}`;
  return `this ${target.person} ${outcome === 1 ? "had" : "did not have"} ${target.event}`;
}

export function predictions(bench, view) {
  const { book } = bench;
  const { target } = book;
  const { line, said } = view;
  const answer = said.answer === null ? `cannot say: ${said.failed}` : `says ${line.says(said.answer)} (${view.isFlagged ? line.flagged : line.cleared})`;
  const who = view.isNew ? view.name : view.isChanged ? `${target.person} ${view.name}, changed` : `${target.person} ${view.name}`;
  const isKnown = book.people.outcomes && !view.isChanged && !view.isNew;
  const happened = isKnown ? ` In the data ${outcomeWords(book, book.people.outcomes[view.person])}.` : "";
  return [
    h("h3", { tabindex: -1 }, capital(who)),
    h("p", { class: "prediction" }, `${view.model} ${answer}.${happened}`),
    riskBars(
      view.answers.map((one) => ({ name: one.name, colour: one.colour, now: one.answer, failed: one.failed, before: view.isChanged && !view.isNew ? one.before : null, shown: one.name === view.model })),
      line.ends,
      book.at,
      ({ now, before }) => (before === null ? "" : `${line.says(before)} → `) + line.says(now),
    ),
    saysOfRisks(book, view),
    view.unlike ? h("p", { class: "objection" }, view.unlike) : null,
  ];
}

const agreed = ({ book }, view) => (view.isChanged || view.isOther || view.model !== book.main ? null : book.reasons[view.name]);

/** What speaks for and against: what enough methods share, where they were asked; else what one method says. */
export function reasonLines(bench, view, found) {
  return agreed(bench, view) ?? (found ? alone(bench, view, found) : []);
}

/** At most four reasons each way, in the words that may be given. */
export function reasons(bench, view, found) {
  const stored = agreed(bench, view);
  const lines = reasonLines(bench, view, found);
  const source = stored ? `Columns that most of the methods with a vote (${lines[0]?.methods ?? 0}) put among the first.` : found ? `By ${found.label} alone.` : "";
  const part = (moved, title) => {
    const given = lines.filter((line) => line.moved === moved && line.given === "reason").slice(0, REASONS);
    const ties = tied(given);
    const words = given.map((line) => h("li", {}, line.words, line.words_say_value ? "" : `: ${line.value}`, line.methods && line.support < line.methods ? ` (${line.support} of ${line.methods} methods)` : ""));
    return h("div", {}, h("h4", { class: moved === "raises" ? "up" : "down" }, title), words.length ? h("ol", {}, words) : h("p", { class: source ? null : "quiet" }, source ? "Nothing among the first." : "Not known yet."), ties.length ? h("p", { class: "quiet" }, `Within noise: the order of ${ties.join(", and of ")}.`) : null);
  };
  const withheld = lines.filter((line) => line.given === "withheld");
  return h(
    "div",
    { class: "why" },
    h("div", { class: "reasons" }, part("raises", `Raises the ${bench.book.target.output}`), part("lowers", "Lowers it")),
    withheld.length ? h("p", { class: "quiet" }, `Never given as a reason, and counts too: ${withheld.map((line) => `“${line.label}”`).join(", ")}.`) : null,
    source ? h("p", { class: "quiet" }, source) : null,
  );
}

/** Which neighbours among some reasons could as well stand in the other order, as "2 and 3": those of one level. */
function tied(lines) {
  const ends = lines.map((line, i) => i).filter((i) => i === lines.length - 1 || lines[i].level === null || lines[i].level !== lines[i + 1].level);
  return ends.map((end, k) => [k ? ends[k - 1] + 2 : 1, end + 1]).filter(([first, last]) => first < last).map(([first, last]) => `${first} ${last - first > 1 ? "to" : "and"} ${last}`);
}

function alone(bench, view, found) {
  const size = (i) => Math.abs(found.values[i]);
  const order = Array.from(found.values.keys()).sort((a, b) => size(b) - size(a));
  let level = found.errors ? 0 : null;
  return order.slice(0, 2 * REASONS).map((i, place) => {
    const above = order[place - 1];
    if (level !== null && place && size(above) - size(i) > 2 * Math.hypot(found.errors[above], found.errors[i])) level += 1;
    const column = bench.book.columns[i];
    const code = view.row[i];
    const moved = found.values[i] > 0 ? "raises" : "lowers";
    const { words, against } = reasonWords(column, code);
    const value = valueWords(column, code);
    const given = column.withheld ? "withheld" : moved === "raises" && against ? "review" : "reason";
    return { moved, given, level, label: column.label, value, words: moved === "raises" ? words : column.label, words_say_value: words.toLowerCase().includes(value.toLowerCase()) };
  });
}

const button = (words, id, act) => h("button", { type: "button", id, onclick: act }, words);

function costWords({ seconds, evaluations }, goOn) {
  const long = seconds < 90 ? `${digits(seconds, 0)} seconds` : `${digits(seconds / 60, 0)} minutes`;
  return h("p", {}, `This takes about ${long}: ${digits(evaluations, 0)} predictions. `, button("Compute", "workbench-compute", goOn));
}

/**
 * Return what says, in place of an answer that is not there yet or never will be, its cost, how far it is, or why there is none.
 *
 * The line that says how far it is stays the same one, so that its button can be pressed while it moves.
 */
export function waitingFor({ goOn, cancel }) {
  const [words, bar] = [h("span"), h("progress", { max: 1, "aria-label": "How far it is" })];
  const line = h("p", { role: "status" }, words, " ", bar, " ", button("Cancel", "workbench-cancel", cancel));
  return ({ cost, progress, share, failed }) => {
    if (cost) return [costWords(cost, goOn)];
    if (!progress) return [h("p", { class: "objection" }, failed)];
    words.textContent = progress;
    bar.hidden = share === undefined;
    bar.value = share ?? 0;
    return [line];
  };
}

/** The chosen method as a waterfall, and all methods on one axis. */
export function contributions(bench, view, found, against, waiting) {
  const { book } = bench;
  const known = book.explanations
    .filter((one) => !view.isChanged && !view.isOther && one.model === view.model && one.place.has(view.person))
    .map((one) => ({ ...one, values: one.valuesAt(one.place.get(view.person)) }));
  if (!found) return [h("p", { class: "quiet" }, view.method ? "Computing …" : "No method can tell of this person here.")];
  if (!found.values) return waiting(found);
  const all = known.length ? known.filter((one) => one.scale === found.scale) : [found];
  const order = orderOf(all.length ? all.map((one) => one.values) : [found.values], book.columns.length);
  const { unit, add: number, at: shown } = unitsOf(book, found.scale);
  const noise = found.errors ? (found.isExact ? " Exact." : ` Noise bands: two standard errors either way; ${found.evaluations.toLocaleString("en-US")} predictions so far.`) : "";
  const caption = `What each column adds by ${found.label}, in ${unit}, against ${against}.${noise}`;
  const drawn = [waterfall(book.columns, view.row, { ...found, caption, shown }, order, number), saysOfContributions(book, view, found, against)];
  if (all.length > 1) drawn.push(h("details", {}, h("summary", {}, `The same by ${all.length} methods on one axis`), methodsOnOneAxis(book.columns, view.row, all, order), saysOfMethods(book, all, number), alignmentPart(book, view.model)));
  return drawn;
}

/** The ways out, each with how many other models would clear the person, too: {way, row, risks} of each. */
export function waysOut({ book }, view, ways, take) {
  const { target } = book;
  const { line } = view;
  if (!ways.length) return [h("p", {}, view.isFlagged ? `No way out was found for this ${target.person}, or none was looked for.` : `This ${target.person} is ${line.cleared}: no way out is needed.`)];
  const lines = ways.map(({ way, risks }) => {
    const words = Object.entries(way.changes).map(([name, code]) => {
      const column = book.columns.find((one) => one.name === name);
      return `${column.label}: ${valueWords(column, view.original[column.place])} → ${valueWords(column, code)}`;
    });
    const others = risks.filter((one) => one.name !== view.model && one.answer !== null);
    const agreeing = others.filter((one) => !line.isFlagged(one.answer)).length;
    return h("li", {}, h("button", { type: "button", onclick: () => take(way.changes) }, words.join("; ")), ` ${line.says(way.risk)}; ${agreeing} of ${others.length} other models agree`);
  });
  return [h("p", { class: "quiet" }, "A click puts a way out into the form. It says what the model would answer, not what would become of the person."), h("ul", { class: "ways" }, lines)];
}

/** The ways out that the page knows for the model in view. */
export function waysOf({ book }, view) {
  return (book.ways[view.name] ?? []).filter((way) => way.model === view.model);
}

export function withRows({ book }, view, ways) {
  return ways.map((way) => ({ way, row: changed(book.columns, view.original, way.changes) }));
}

/** A row with other codes in some columns, by their names. */
export function changed(columns, original, changes) {
  const row = Float64Array.from(original);
  for (const column of columns) if (column.name in changes) row[column.place] = changes[column.name];
  return row;
}

export function methodChoice(bench, view, options, set) {
  const models = bench.book.models.map((one) => ({ value: one.name, words: one.name }));
  const { scales } = bench.book.models.find((one) => one.name === view.model);
  const units = scales.map((scale, i) => ({ value: i ? scale : "", words: UNITS[scale] }));
  return [
    choice("Model", models, view.model, (model) => set({ model, unit: "" })),
    choice("Method", options, view.method, (method) => set({ method })),
    units.length > 1 ? choice("Unit", units, view.unit, (unit) => set({ unit })) : null,
  ];
}
