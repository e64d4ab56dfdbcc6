// Of a value: the range into which people want to be predicted, in its unit.

import { h } from "./dom.js";
import { endsOf, rangeWords } from "./line.js";

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
