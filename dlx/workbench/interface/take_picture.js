// A figure of the page as a file: a self-contained SVG, in the colours of white paper, of texts, boxes and what is SVG already.

import { download, h, svg } from "./dom.js";

const LEAVE = "button:not(.term, .tree *), input[type=range], summary, .tip, .quiet-in-figure";
const STYLED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "fill-opacity", "font-size", "font-weight", "font-family", "text-anchor"];
const FONT = '"DejaVu Sans", system-ui, sans-serif';

/** Put a button beside each figure of a part of the page, as it is drawn: an element with `data-figure`, its name. */
export function offerPictures(root, nameOf) {
  const offer = (figure) => {
    const isOffered = figure.nextElementSibling?.matches("button.picture");
    if (isOffered) return;
    const save = () => download(`${nameOf(figure.dataset.figure)}.svg`, "image/svg+xml", asPicture(figure));
    figure.after(h("button", { type: "button", class: "picture", title: "Save this figure", "aria-label": `Save “${figure.dataset.figure.replaceAll("-", " ")}” as SVG`, onclick: save }, "SVG"));
  };
  const offerAll = (added) => (added.matches("[data-figure]") ? [added] : added.querySelectorAll("[data-figure]")).forEach(offer);
  offerAll(root);
  new MutationObserver((changes) => {
    changes.flatMap((one) => [...one.addedNodes]).filter((node) => node.nodeType === Node.ELEMENT_NODE && node.isConnected).forEach(offerAll);
  }).observe(root, { childList: true, subtree: true });
}

/** Return an element as the text of an SVG file: what it looks like now, on white paper. */
function asPicture(element) {
  element.classList.add("on-paper");
  try {
    const box = element.getBoundingClientRect();
    const parts = [];
    collect(element, box, parts);
    const [wide, high] = [Math.ceil(box.width) + 16, Math.ceil(box.height) + 16];
    const whole = svg("svg", { viewBox: `-8 -8 ${wide} ${high}`, width: wide, height: high }, svg("rect", { x: -8, y: -8, width: wide, height: high, fill: "#ffffff" }), parts);
    return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(whole)}`;
  } finally {
    element.classList.remove("on-paper");
  }
}

function collect(element, box, parts) {
  if (element.matches(LEAVE) || element.hidden) return;
  const style = getComputedStyle(element);
  if (style.display === "none" || style.visibility === "hidden") return;
  const place = element.getBoundingClientRect();
  const at = { x: place.x - box.x, y: place.y - box.y };
  if (element instanceof SVGSVGElement) {
    parts.push(copied(element, { ...at, width: place.width, height: place.height }));
    return;
  }
  if (isSeen(style.backgroundColor) && place.width && place.height) {
    parts.push(svg("rect", { ...at, width: place.width, height: place.height, rx: parseFloat(style.borderRadius) || null, fill: style.backgroundColor, opacity: style.opacity }));
  }
  if (parseFloat(style.borderBottomWidth) > 0 && isSeen(style.borderBottomColor)) {
    parts.push(svg("line", { x1: at.x, x2: at.x + place.width, y1: at.y + place.height, y2: at.y + place.height, stroke: style.borderBottomColor, "stroke-width": 1 }));
  }
  if (element.matches("select, input")) {
    const said = element.matches("select") ? element.selectedOptions[0]?.textContent : element.value;
    parts.push(line(said ?? "", { x: at.x + 8, top: at.y, high: place.height, style }));
    return;
  }
  for (const child of element.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) parts.push(...lines(child, box, style));
    else if (child.nodeType === Node.ELEMENT_NODE) collect(child, box, parts);
  }
}

function isSeen(colour) {
  return colour !== "transparent" && !/, 0\)$/.test(colour);
}

/** Return a text's lines as they are broken on the page. */
function lines(text, box, style) {
  const found = [];
  for (const word of text.data.matchAll(/\S+/g)) {
    const range = document.createRange();
    range.setStart(text, word.index);
    range.setEnd(text, word.index + word[0].length);
    const place = range.getBoundingClientRect();
    const last = found.at(-1);
    if (!place.width) continue;
    if (last && Math.abs(last.top - (place.top - box.y)) < 3) Object.assign(last, { said: `${last.said} ${word[0]}`, right: place.right - box.x });
    else found.push({ said: word[0], x: place.left - box.x, right: place.right - box.x, top: place.top - box.y, high: place.height });
  }
  return found.map((one) => line(one.said, { ...one, style }));
}

/** Return a line of text; where its end is known it is as wide as on the page, whatever font a reader has. */
function line(said, { x, right = null, top, high, style }) {
  const size = parseFloat(style.fontSize);
  const wide = right === null ? {} : { textLength: Math.max(1, right - x).toFixed(1), lengthAdjust: "spacingAndGlyphs" };
  return svg("text", { x, y: top + high / 2 + 0.35 * size, fill: style.color, "font-size": size, "font-family": FONT, "font-weight": style.fontWeight, ...wide }, said);
}

/** Return a copy of an SVG that needs no stylesheet. */
function copied(element, place) {
  const copy = element.cloneNode(true);
  const [own, theirs] = [element, copy].map((one) => [one, ...one.querySelectorAll("*")]);
  own.forEach((one, i) => {
    const style = getComputedStyle(one);
    for (const name of STYLED) theirs[i].setAttribute(name, name === "font-family" ? FONT : style.getPropertyValue(name));
    if (style.vectorEffect !== "none") theirs[i].setAttribute("vector-effect", style.vectorEffect);
    theirs[i].removeAttribute("class");
  });
  for (const [name, value] of Object.entries(place)) copy.setAttribute(name, value);
  return copy;
}
