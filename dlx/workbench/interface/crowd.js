// Many people at once: what follows from a threshold, and two cohorts side by side.

import { digits, h, percent } from "./dom.js";
import { intervalWords } from "./charts.js";

const FEW = 30;

/** A share with its 95 % interval (Wilson 1927). */
export function wilson(hits, count) {
  const z = 1.959964;
  const share = hits / count;
  const middle = (share + (z * z) / (2 * count)) / (1 + (z * z) / count);
  const reach = (z / (1 + (z * z) / count)) * Math.sqrt((share * (1 - share)) / count + (z * z) / (4 * count * count));
  return [share, Math.max(0, middle - reach), Math.min(1, middle + reach)];
}

function shareCell(hits, count) {
  if (!count) return "–";
  const words = intervalWords(...wilson(hits, count));
  return count < FEW ? h("span", { class: "few", title: `Only ${count}: too few to tell` }, words) : words;
}

function table(caption, headers, lines) {
  return h(
    "div",
    { class: "table", tabindex: 0, role: "region", "aria-label": caption },
    h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, headers.map((one) => h("th", { scope: "col" }, one)))), h("tbody", {}, lines.map(([first, ...cells]) => h("tr", {}, h("th", { scope: "row" }, first), cells.map((cell) => h("td", {}, cell)))))),
  );
}

/** What follows from a threshold: right and wrong decisions, and who is flagged in which group. */
export function consequences(book, places, risk, threshold) {
  const { target, people } = book;
  const flagged = places.filter((i) => risk(i) >= threshold);
  const parts = [];
  if (people.outcomes) {
    const had = (some) => some.filter((i) => people.outcomes[i] === 1).length;
    const cleared = places.length - flagged.length;
    const hits = had(flagged);
    const all = had(places);
    const cost = (1 - threshold) / threshold;
    const paid = flagged.length - hits + cost * (all - hits);
    parts.push(
      table(`Decisions at ${percent(threshold)}, of ${places.length} people`, ["Decision", `Had ${target.event}`, "Had not", "In all"], [
        [target.flagged, String(hits), String(flagged.length - hits), String(flagged.length)],
        [target.cleared, String(all - hits), String(cleared - all + hits), String(cleared)],
      ]),
      h("p", {}, `A threshold of ${percent(threshold)} says that a missed one costs ${digits(cost, 1)} times as much as a needless act: ${digits(paid, 0)} such acts in all.`),
    );
  }
  for (const group of people.groups) {
    const lines = group.names.map((name, code) => {
      const inside = places.filter((i) => group.of[i] === code);
      const clear = inside.filter((i) => risk(i) < threshold).length;
      return [name, String(inside.length), shareCell(clear, inside.length), inside.length ? clear / inside.length : NaN];
    });
    const best = Math.max(...lines.filter((line) => Number(line[1]) >= FEW).map((line) => line[3]));
    parts.push(table(`${group.label}: who is ${target.cleared}`, ["Group", "People", target.cleared, "Ratio to the best group"], lines.map(([name, count, share, rate]) => [name, count, share, Number(count) >= FEW && best > 0 ? digits(rate / best, 2) : "too few"])));
  }
  return parts;
}

/** Two cohorts side by side: how many, what happened, what is predicted, how often that is right. */
export function sideBySide(book, cohorts, risk, threshold, shown) {
  const { target, people } = book;
  const count = (places, test) => shareCell(places.filter(test).length, places.length);
  const mean = (places) => (places.length ? percent(places.reduce((sum, i) => sum + risk(i), 0) / places.length) : "–");
  const average = (of) => (places) => (places.length ? book.says(places.reduce((sum, i) => sum + of(i), 0) / places.length) : "–");
  const row = (words, tell) => [words, ...cohorts.map(({ places }) => tell(places))];
  const values = [row("People", (places) => String(places.length)), row("Mean prediction", average(risk))];
  if (book.isValue && people.outcomes) {
    values.push(row(`Mean ${target.label}`, average((i) => people.outcomes[i])));
    values.push(row("Mean size of the error", average((i) => Math.abs(risk(i) - people.outcomes[i]))));
  }
  const lines = book.isValue ? values : [
    ["People", ...cohorts.map(({ places }) => String(places.length))],
    [capitalised(`mean ${target.risk}`), ...cohorts.map(({ places }) => mean(places))],
    [capitalised(target.flagged), ...cohorts.map(({ places }) => count(places, (i) => risk(i) >= threshold))],
  ];
  if (people.outcomes && !book.isValue) {
    lines.push([`Had ${target.event}`, ...cohorts.map(({ places }) => count(places, (i) => people.outcomes[i] === 1))]);
    lines.push(["Decided rightly", ...cohorts.map(({ places }) => count(places, (i) => risk(i) >= threshold === (people.outcomes[i] === 1)))]);
  }
  const drawn = [table("Cohorts side by side", ["Measure", ...cohorts.map(({ name }) => name)], lines)];
  if (shown) {
    const sizes = cohorts.map(({ places }) => importance(book, places, shown));
    const order = Array.from(book.columns.keys()).sort((a, b) => sizes[0].mean[b] - sizes[0].mean[a]).slice(0, 8);
    const caption = `Mean size of contributions by ${shown.label}, of those whom it explains`;
    drawn.push(table(caption, ["Column", ...cohorts.map(({ name }, k) => `${name} (${sizes[k].count})`)], order.map((i) => [book.columns[i].label, ...sizes.map(({ mean: of, count: n }) => (n ? digits(of[i], 3) : "–"))])));
  }
  return drawn;
}

function capitalised(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function importance(book, places, explanation) {
  const mean = new Float64Array(book.columns.length);
  const known = places.filter((i) => explanation.place.has(i));
  for (const person of known) explanation.valuesAt(explanation.place.get(person)).forEach((value, i) => (mean[i] += Math.abs(value) / known.length));
  return { mean, count: known.length };
}
