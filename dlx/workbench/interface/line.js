// The line between decisions: a threshold of the risk, or, of a value, the range into which people want to be predicted.

import { digits, h, percent } from "./dom.js";

/**
 * Return what follows from where the line is now: {isFlagged(answer), happened(outcome), isWrong(answer, outcome), flagged,
 * cleared, hadWords, ends, says}.
 *
 * Who is predicted outside of the range of a value is flagged, as one whose risk reaches the threshold.
 */
export function lineAt(book, now) {
  const line = book.isValue ? lineOfRange(book, now.range) : lineOfThreshold(book, now.threshold);
  return { ...line, isWrong: (answer, outcome) => line.isFlagged(answer) !== line.happened(outcome) };
}

function lineOfThreshold({ target }, threshold) {
  const words = { flagged: target.flagged, cleared: target.cleared, hadWords: `had ${target.event}`, hadNotWords: "had not" };
  return { ...words, isFlagged: (risk) => risk >= threshold, happened: (outcome) => outcome === 1, ends: [threshold], says: (risk) => percent(risk, threshold) };
}

function lineOfRange(book, range) {
  const [low, high] = endsOf(range);
  const isFlagged = (value) => !(value >= low && value <= high);
  const { inside, outside } = rangeWords(book, range);
  return { flagged: outside, cleared: inside, hadWords: `was ${outside}`, hadNotWords: `was ${inside}`, isFlagged, happened: isFlagged, ends: [low, high].filter(Number.isFinite), says: book.says };
}

/** Return the ends of a range that is written as "100:150", ":150" or "200:". */
export function endsOf(range) {
  const [low, high] = range.split(":").map((text) => text.trim());
  return [low ? Number(low) : -Infinity, high ? Number(high) : Infinity];
}

/** Return in words what is inside of a range, and what outside. */
function rangeWords(book, range) {
  const [low, high] = endsOf(range);
  const number = (value) => digits(value, book.decimals);
  const told = (words) => `${words} ${book.target.unit}`.trim();
  if (low === -Infinity) return { inside: told(`up to ${number(high)}`), outside: told(`above ${number(high)}`) };
  if (high === Infinity) return { inside: told(`from ${number(low)} on`), outside: told(`below ${number(low)}`) };
  const words = `${number(low)} to ${number(high)}`;
  return { inside: told(`within ${words}`), outside: told(`outside ${words}`) };
}

/** Return the two ends of the range, to be changed. */
export function rangePanel(book, state) {
  const { range } = state.get();
  const own = book.target.range;
  const ends = endsOf(range);
  const field = (which, words) => {
    const input = h("input", { type: "number", id: `workbench-${which ? "to" : "from"}`, step: "any", value: Number.isFinite(ends[which]) ? ends[which] : "", "aria-label": words, placeholder: "open" });
    input.addEventListener("change", () => {
      const texts = range.split(":").map((text, i) => (i === which ? input.value : text));
      const [low, high] = endsOf(texts.join(":"));
      input.setCustomValidity(low <= high && (texts[0] || texts[1]) ? "" : "a range goes up, and has one end at least");
      if (input.reportValidity()) state.set({ range: texts.join(":") });
    });
    return input;
  };
  const back = range === own ? null : h("button", { type: "button", onclick: () => state.set({ range: own }) }, `back to ${rangeWords(book, own).inside}`);
  return [h("p", {}, "From ", field(0, "From"), " to ", field(1, "To"), ` ${book.target.unit} `, back)];
}
