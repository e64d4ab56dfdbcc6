// Terms of the trade explain themselves: by mouse, by keyboard and by touch.

import { h } from "./dom.js";

const WITHIN = "p, li, caption, dt, dd";
const NEVER = "button, a, label, summary, option, svg, pre, .tip, h3, h4";
const A_TOUCH = 400; // milliseconds in which showing and clicking are one act

/** Underline the first use of each term in each part of the page, as it is drawn; `words` are {name, also, means}. */
export function explainTerms(root, words) {
  if (!words.length) return;
  const terms = new Map(words.flatMap((one) => [one.name, ...one.also].map((spelling) => [asWithin(spelling), one])));
  const spellings = Array.from(terms.keys()).sort((a, b) => b.length - a.length);
  const either = spellings.map((word) => (/^[A-Z]/.test(word) ? escaped(word) : `[${word[0]}${word[0].toUpperCase()}]${escaped(word.slice(1))}`));
  const pattern = new RegExp(`(?<![\\w-])(?:${either.join("|")})s?(?![\\w-])`, "g");
  const termOf = (text) => terms.get(asWithin(text)) ?? terms.get(asWithin(text.replace(/s$/, "")));
  const show = hoverText(root);
  let lost = "";

  function mark(element) {
    if (element.closest(NEVER)) return;
    const panel = element.closest("details, .who, .workbench");
    const isKnown = (name) => Array.from(panel.querySelectorAll("button.term")).some((one) => one.dataset.term === name && one.closest("details, .who, .workbench") === panel);
    const texts = [];
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) if (!walker.currentNode.parentElement.closest(NEVER)) texts.push(walker.currentNode);
    for (const text of texts) {
      const parts = [];
      let at = 0;
      for (const found of text.data.matchAll(pattern)) {
        const term = termOf(found[0]);
        if (!term || isKnown(term.name) || parts.some((part) => part.dataset?.term === term.name)) continue;
        parts.push(text.data.slice(at, found.index), h("button", { type: "button", class: "term", "data-term": term.name, "data-means": term.means }, found[0]));
        at = found.index + found[0].length;
      }
      if (parts.length) text.replaceWith(...parts, text.data.slice(at));
    }
  }

  function markAll(added) {
    if (added.matches(WITHIN)) mark(added);
    added.querySelectorAll(WITHIN).forEach(mark);
  }

  markAll(root);
  new MutationObserver((changes) => {
    const added = changes.flatMap((one) => [...one.addedNodes]).filter((node) => node.isConnected);
    const rewritten = added.map((node) => (node.nodeType === Node.TEXT_NODE ? node.parentElement.closest(WITHIN) : null));
    new Set(rewritten.filter(Boolean)).forEach(mark);
    added.filter((node) => node.nodeType === Node.ELEMENT_NODE && !node.matches("button.term, .tip")).forEach(markAll);
    if (!lost || document.activeElement !== document.body) return;
    const again = Array.from(root.querySelectorAll("button.term")).find((one) => one.dataset.term === lost);
    again?.focus({ preventScroll: true }); // what was explained was drawn anew
  }).observe(root, { childList: true, subtree: true });
  root.addEventListener("focusin", ({ target }) => {
    lost = target.matches("button.term") ? target.dataset.term : "";
    if (lost) show(target);
  });
}

/** Return what shows the text of a term; it can be pointed at, and goes by Escape, elsewhere, or a second click. */
function hoverText(root) {
  const tip = h("div", { class: "tip", role: "tooltip", id: "workbench-tip", hidden: true });
  root.append(tip);
  let [of, since] = [null, 0];

  function show(term) {
    if (of === term) return;
    hide();
    [of, since] = [term, performance.now()];
    tip.replaceChildren(h("strong", {}, term.dataset.term), ` ${term.dataset.means}`);
    tip.hidden = false;
    term.setAttribute("aria-describedby", tip.id);
    stand();
  }
  function stand() {
    if (!of.isConnected) return hide();
    const { left, bottom, top } = of.getBoundingClientRect();
    const { width, height } = tip.getBoundingClientRect();
    const isBelow = bottom + height + 8 < innerHeight;
    tip.style.left = `${Math.max(8, Math.min(left, document.documentElement.clientWidth - width - 8))}px`;
    tip.style.top = `${isBelow ? bottom + 2 : Math.max(4, top - height - 2)}px`;
  }
  function hide() {
    of?.removeAttribute("aria-describedby");
    of = null;
    tip.hidden = true;
  }

  const isInside = (node) => node instanceof Element && (node === of || node.closest("button.term") === of || tip.contains(node));
  root.addEventListener("pointerover", ({ target }) => {
    const term = target.closest("button.term");
    if (term) show(term);
    else if (of && !isInside(target) && document.activeElement !== of) hide();
  });
  root.addEventListener("focusout", ({ relatedTarget }) => of && !isInside(relatedTarget) && hide());
  root.addEventListener("click", ({ target }) => {
    const term = target.closest("button.term");
    if (term && term === of && performance.now() - since > A_TOUCH) hide();
    else if (term) show(term);
  });
  addEventListener("keydown", ({ key }) => key === "Escape" && hide());
  addEventListener("scroll", () => of && stand(), { passive: true, capture: true });
  document.addEventListener("pointerdown", ({ target }) => of && !isInside(target) && hide());
  return show;
}

function asWithin(word) {
  return /^[A-Z]/.test(word.slice(1, 2)) ? word : word.charAt(0).toLowerCase() + word.slice(1);
}

function escaped(word) {
  return word.replace(/[.*+?^${}()|[\]\\-]/g, "\\$&");
}
