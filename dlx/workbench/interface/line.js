// The line between decisions: a threshold of the risk, or, of a value, the range into which people want to be predicted.

import { digits, percent } from "./dom.js";

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
export function rangeWords(book, range) {
  const [low, high] = endsOf(range);
  const number = (value) => digits(value, book.decimals);
  const told = (words) => `${words} ${book.target.unit}`.trim();
  if (low === -Infinity) return { inside: told(`up to ${number(high)}`), outside: told(`above ${number(high)}`) };
  if (high === Infinity) return { inside: told(`from ${number(low)} on`), outside: told(`below ${number(low)}`) };
  const words = `${number(low)} to ${number(high)}`;
  return { inside: told(`within ${words}`), outside: told(`outside ${words}`) };
}
