// How much of the disagreement of two methods goes away as they are asked the same question, as it was measured.

import { choice, h, percent } from "./dom.js";
import { saysOnly } from "./learn_words.js";

const ALL = "all";

/** Return the part for a model: toggles of unit, scale, background and so on; null where nothing was measured of it. */
export function alignmentPart(book, model) {
  const pairs = book.alignment.pairs.filter((one) => one.model === model);
  if (!pairs.length) return null;
  const settings = Object.keys(book.alignment.words).filter((name) => pairs.some((one) => one.settings.includes(name)));
  const aligned = new Set();
  let chosen = ALL;
  const place = h("div", {});
  const boxes = settings.map((name) => {
    const box = h("input", { type: "checkbox", onchange: () => setTo(box.checked ? [...aligned, name] : [...aligned].filter((one) => one !== name), box.checked ? [name] : []) });
    return h("label", { class: "switch" }, box, ` ${book.alignment.words[name]}`);
  });
  const every = h("button", { type: "button", onclick: () => setTo(aligned.size < settings.length ? settings : []) }, "All of them");
  const options = [{ value: ALL, words: `all ${pairs.length} pairs, on average` }, ...pairs.map((one, i) => ({ value: String(i), words: one.labels.join(" and ") }))];
  const select = choice("Methods", options, chosen, (value) => {
    chosen = value;
    setTo([...aligned]);
  });
  const isEvery = pairs.every((one) => one.aligned.length === 2 ** one.settings.length);

  const some = () => (chosen === ALL ? pairs : [pairs[Number(chosen)]]);
  const isMeasured = (names) => some().every((one) => one.aligned.includes(keyOf(one, new Set(names))));

  /** Align these settings and no other; where they were not measured together, these few. */
  function setTo(names, few = []) {
    aligned.clear();
    for (const name of isMeasured(names) ? names : few) aligned.add(name);
    boxes.forEach((label, i) => (label.querySelector("input").checked = aligned.has(settings[i])));
    draw();
  }

  const meanOf = (measure, settings) => some().reduce((sum, one) => sum + measured(one, measure, settings), 0) / some().length;

  function draw() {
    const before = meanOf("placed", new Set());
    const now = meanOf("placed", aligned);
    const left = meanOf("placed", new Set(settings));
    const [{ people, k }] = some();
    const words = aligned.size === 0 ? "" : aligned.size === settings.length ? ", asked the same question" : `, with ${settings.filter((name) => aligned.has(name)).map((name) => book.alignment.words[name].split(/[:,]/)[0]).join(", ")} aligned`;
    place.replaceChildren(
      h("div", { "data-figure": "alignment" }, bar("As the libraries come", before, null), bar(aligned.size ? "Aligned so" : "Nothing aligned yet", now, before)),
      saysOnly(
        `that ${some().length > 1 ? "two methods" : "these two"} place ${percent(before)} of the contributions about ${model} differently as their libraries come, and ${percent(now)}${words || " still"}; of the ${k} largest columns they share ${percent(1 - meanOf("top", aligned))}. Measured on ${people} people. ${percent(left)} is left when all is aligned: the methods themselves`,
        "which of them is right",
      ),
    );
  }
  draw();
  return h("div", { class: "alignment" }, h("h4", {}, "How much of a disagreement is only how one asks?"), h("div", { class: "choices" }, select, settings.length > 1 ? every : null), h("fieldset", {}, h("legend", {}, "Align"), boxes, isEvery ? null : h("p", { class: "quiet" }, "Measured one at a time, and all together; every combination by dlx report --thorough.")), place);
}

/** Return which of a pair's own settings are aligned; those that its libraries share count as aligned. */
const keyOf = (pair, aligned) => pair.settings.filter((name) => aligned.has(name)).join(" ");

const measured = (pair, measure, aligned) => pair[measure][pair.aligned.indexOf(keyOf(pair, aligned))];

function bar(words, share, before) {
  return h(
    "div",
    { class: "risk" },
    h("span", { class: "name" }, words),
    h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: "bar", style: `width:${100 * share}%` }), before === null ? null : h("span", { class: "before", style: `left:${100 * before}%` })),
    h("span", { class: "number" }, percent(share)),
  );
}
