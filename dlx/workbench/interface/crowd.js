// Many people at once: what follows from where the line is, and cohorts side by side.

import { capital, digits, h, percent, signed } from "./dom.js";
import { intervalWords } from "./charts.js";

export const FEW = 30;
const NORMAL = 1.959964; // within so many standard deviations of the mean are 95 %
const COLUMNS_SHOWN = 8;

/** A share with its 95 % interval (Wilson 1927). */
export function wilson(hits, count) {
  const share = hits / count;
  const middle = (share + NORMAL ** 2 / (2 * count)) / (1 + NORMAL ** 2 / count);
  const reach = (NORMAL / (1 + NORMAL ** 2 / count)) * Math.sqrt((share * (1 - share)) / count + NORMAL ** 2 / (4 * count * count));
  return [share, Math.max(0, middle - reach), Math.min(1, middle + reach)];
}

/** A mean with its 95 % interval, by its standard error. */
export function meanWithInterval(numbers) {
  const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  const squares = numbers.reduce((sum, number) => sum + (number - mean) ** 2, 0);
  const reach = NORMAL * Math.sqrt(squares / (numbers.length - 1) / numbers.length);
  return [mean, mean - reach, mean + reach];
}

function cell(count, words) {
  if (!count) return "–";
  return count < FEW ? h("span", { class: "few" }, `${words}, too few`) : words;
}

function shareCell(hits, count) {
  return cell(count, count && intervalWords(...wilson(hits, count)));
}

function meanCell(numbers, says) {
  const [mean, low, high] = meanWithInterval(numbers);
  return cell(numbers.length, numbers.length > 1 ? `${says(mean)} (${says(low)} to ${says(high)})` : says(mean));
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
  const flagged = places.filter((i) => line.isFlagged(risk(i)));
  const parts = [];
  if (people.outcomes) {
    const had = (some) => some.filter((i) => line.happened(people.outcomes[i])).length;
    const cleared = places.length - flagged.length;
    const hits = had(flagged);
    const all = had(places);
    const caption = book.isValue ? `Predicted and observed, of ${places.length} people` : `Decisions at ${percent(threshold)}, of ${places.length} people`;
    parts.push(
      table(caption, [book.isValue ? "Predicted" : "Decision", capital(line.hadWords), capital(line.hadNotWords), "In all"], [
        [line.flagged, String(hits), String(flagged.length - hits), String(flagged.length)],
        [line.cleared, String(all - hits), String(cleared - all + hits), String(cleared)],
      ]),
    );
    const cost = (1 - threshold) / threshold;
    const paid = flagged.length - hits + cost * (all - hits);
    if (!book.isValue) parts.push(h("p", {}, `A threshold of ${percent(threshold)} says that a missed one costs ${digits(cost, 1)} times as much as a needless act: ${digits(paid, 0)} such acts in all.`));
  }
  const who = book.isValue ? `predicted ${line.cleared}` : target.cleared;
  for (const group of people.groups) {
    const lines = group.names.map((name, code) => {
      const inside = places.filter((i) => group.of[i] === code);
      const clear = inside.filter((i) => !line.isFlagged(risk(i))).length;
      return [name, String(inside.length), shareCell(clear, inside.length), inside.length ? clear / inside.length : NaN];
    });
    const best = Math.max(...lines.filter((one) => Number(one[1]) >= FEW).map((one) => one[3]));
    parts.push(table(`${group.label}: who is ${who}`, ["Group", "People", capital(who), "Ratio to the best group"], lines.map(([name, count, share, rate]) => [name, count, share, Number(count) >= FEW && best > 0 ? digits(rate / best, 2) : "too few"])));
  }
  return parts;
}

/** Cohorts {name, places} side by side: how many, what happened, what is predicted, how often that is right, what counts. */
export function sideBySide(book, cohorts, risk, line, shown) {
  const { target, people } = book;
  const { outcomes } = people;
  const row = (words, tell) => [words, ...cohorts.map(({ places }) => tell(places))];
  const share = (words, test) => row(words, (places) => shareCell(places.filter(test).length, places.length));
  const mean = (words, of, says) => row(words, (places) => meanCell(places.map(of), says));
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
  const drawn = [table("Cohorts side by side, with 95 % intervals", ["Measure", ...cohorts.map(({ name }) => name)], lines)];
  return shown ? [...drawn, importanceTable(book, cohorts, shown)] : drawn;
}

function importanceTable({ columns }, cohorts, shown) {
  const known = cohorts.map(({ places }) => places.filter((i) => shown.place.has(i)).map((i) => shown.valuesAt(shown.place.get(i))));
  const sizes = (all, i) => all.map((values) => Math.abs(values[i]));
  const mean = (all, i) => sizes(all, i).reduce((sum, size) => sum + size, 0) / (all.length || 1);
  const order = columns.map(({ place }) => place).sort((a, b) => mean(known.at(-1), b) - mean(known.at(-1), a));
  const caption = `Mean size of contributions by ${shown.label}, of those whom it explains`;
  const heads = cohorts.map(({ name }, k) => `${name} (${known[k].length})`);
  return table(caption, ["Column", ...heads], order.slice(0, COLUMNS_SHOWN).map((i) => [columns[i].label, ...known.map((all) => meanCell(sizes(all, i), (size) => digits(size, 2)))]));
}
