// Many people at once: what follows from where the line is, and cohorts side by side.

import { capital, digits, h, percent, signed } from "./dom.js";
import { intervalWords } from "./charts.js";

export const FEW = 30;
const NORMAL = 1.959964; // within so many standard deviations of the mean are 95 %
const COLUMNS_SHOWN = 8;

/** How much some people weigh in all: as many as they are where the table has no weights. */
const totalOf = ({ weightOf }, places) => places.reduce((sum, i) => sum + weightOf(i), 0);

/** The share of people for whom a test holds, with its 95 % interval (Wilson 1927), of as many as they are worth (Kish 1965). */
export function shareWithInterval(book, places, test) {
  const all = totalOf(book, places);
  const count = all ** 2 / places.reduce((sum, i) => sum + book.weightOf(i) ** 2, 0);
  const share = totalOf(book, places.filter(test)) / all;
  const middle = (share + NORMAL ** 2 / (2 * count)) / (1 + NORMAL ** 2 / count);
  const reach = (NORMAL / (1 + NORMAL ** 2 / count)) * Math.sqrt((share * (1 - share)) / count + NORMAL ** 2 / (4 * count * count));
  return [share, Math.max(0, middle - reach), Math.min(1, middle + reach)];
}

/** The mean of something of people, with its 95 % interval, by its standard error. */
export function meanWithInterval(book, places, of) {
  const all = totalOf(book, places);
  const mean = places.reduce((sum, i) => sum + book.weightOf(i) * of(i), 0) / all;
  const squares = places.reduce((sum, i) => sum + (book.weightOf(i) * (of(i) - mean)) ** 2, 0);
  const reach = (NORMAL / all) * Math.sqrt((squares * places.length) / (places.length - 1));
  return [mean, mean - reach, mean + reach];
}

function cell(count, words) {
  if (!count) return "–";
  return count < FEW ? h("span", { class: "few" }, `${words}, too few`) : words;
}

const shareCell = (book, places, test) => cell(places.length, places.length && intervalWords(...shareWithInterval(book, places, test)));

function meanCell(book, places, of, says) {
  const [mean, low, high] = meanWithInterval(book, places, of);
  return cell(places.length, places.length > 1 ? `${says(mean)} (${says(low)} to ${says(high)})` : says(mean));
}

function table(caption, headers, lines) {
  return h(
    "div",
    { class: "table", tabindex: 0, role: "region", "aria-label": caption },
    h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, headers.map((one) => h("th", { scope: "col" }, one)))), h("tbody", {}, lines.map(([first, ...cells]) => h("tr", {}, h("th", { scope: "row" }, first), cells.map((one) => h("td", {}, one)))))),
  );
}

/** What follows from a threshold, or from a range: right and wrong decisions, and who is flagged in which group. */
export function consequences(book, places, risk, line, threshold) {
  const { target, people } = book;
  const parts = [];
  if (people.outcomes) {
    const number = (weight) => (Number.isInteger(weight) ? String(weight) : digits(weight, 1));
    const flags = [true, false];
    const counts = flags.map((isFlagged) => flags.map((had) => totalOf(book, places.filter((i) => line.isFlagged(risk(i)) === isFlagged && line.happened(people.outcomes[i]) === had))));
    const caption = `${book.isValue ? "Predicted and observed" : `Decisions at ${percent(threshold)}`}, of ${places.length} people${book.byWeights}`;
    const lines = counts.map(([had, not], i) => [i ? line.cleared : line.flagged, number(had), number(not), number(had + not)]);
    parts.push(table(caption, [book.isValue ? "Predicted" : "Decision", capital(line.hadWords), capital(line.hadNotWords), "In all"], lines));
    const cost = (1 - threshold) / threshold;
    const paid = counts[0][1] + cost * counts[1][0];
    if (!book.isValue) parts.push(h("p", {}, `A threshold of ${percent(threshold)} says that a missed one costs ${digits(cost, 1)} times as much as a needless act: ${digits(paid, 0)} such acts in all.`));
  }
  const who = book.isValue ? `predicted ${line.cleared}` : target.cleared;
  for (const group of people.groups) {
    const lines = group.names.map((name, code) => {
      const inside = places.filter((i) => group.of[i] === code);
      const isClear = (i) => !line.isFlagged(risk(i));
      return [name, String(inside.length), shareCell(book, inside, isClear), shareWithInterval(book, inside, isClear)[0]];
    });
    const best = Math.max(...lines.filter((one) => Number(one[1]) >= FEW).map((one) => one[3]));
    parts.push(table(`${group.label}: who is ${who}${book.byWeights}`, ["Group", "People", capital(who), "Ratio to the best group"], lines.map(([name, count, share, rate]) => [name, count, share, Number(count) >= FEW && best > 0 ? digits(rate / best, 2) : "too few"])));
  }
  return parts;
}

/** Cohorts {name, places} side by side: how many, what happened, what is predicted, how often that is right, what counts. */
export function sideBySide(book, cohorts, risk, line, shown) {
  const { target, people } = book;
  const { outcomes } = people;
  const row = (words, tell) => [words, ...cohorts.map(({ places }) => tell(places))];
  const share = (words, test) => row(words, (places) => shareCell(book, places, test));
  const mean = (words, of, says) => row(words, (places) => meanCell(book, places, of, says));
  const whole = (value) => (book.isValue ? book.says(value) : percent(value));
  const apart = (value) => (book.isValue ? signed(value, book.decimals) : `${signed(100 * value, 0)} points`);
  const lines = [
    row("People", (places) => String(places.length)),
    mean(book.isValue ? "Mean prediction" : capital(`mean ${target.risk}`), risk, whole),
    share(capital(book.isValue ? `predicted ${line.flagged}` : line.flagged), (i) => line.isFlagged(risk(i))),
  ];
  if (outcomes) {
    lines.push(book.isValue ? mean(`Mean ${target.label}`, (i) => outcomes[i], whole) : share(capital(line.hadWords), (i) => line.happened(outcomes[i])));
    lines.push(mean("Observed less predicted", (i) => outcomes[i] - risk(i), apart));
    lines.push(book.isValue ? mean("Mean size of the error", (i) => Math.abs(risk(i) - outcomes[i]), whole) : share("Decided rightly", (i) => !line.isWrong(risk(i), outcomes[i])));
  }
  const drawn = [table(`Cohorts side by side${book.byWeights}, with 95 % intervals`, ["Measure", ...cohorts.map(({ name }) => name)], lines)];
  return shown ? [...drawn, importanceTable(book, cohorts, shown)] : drawn;
}

function importanceTable(book, cohorts, shown) {
  const { columns } = book;
  const known = cohorts.map(({ places }) => places.filter((i) => shown.place.has(i)));
  const sizeOf = (column) => (i) => Math.abs(shown.valuesAt(shown.place.get(i))[column]);
  const everybody = columns.map(({ place }) => meanWithInterval(book, known.at(-1), sizeOf(place))[0]);
  const order = columns.map(({ place }) => place).sort((a, b) => everybody[b] - everybody[a]);
  const caption = `Mean size of contributions by ${shown.label}, of those whom it explains${book.byWeights}`;
  const heads = cohorts.map(({ name }, k) => `${name} (${known[k].length})`);
  return table(caption, ["Column", ...heads], order.slice(0, COLUMNS_SHOWN).map((i) => [columns[i].label, ...known.map((places) => meanCell(book, places, sizeOf(i), (size) => digits(size, 2)))]));
}
