// Elements, and numbers as the page writes them.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Return an element: h("a", {href: "#x"}, "words"). Text is text: markup in a name stays what it is. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** Put children into an element; those that are in it already are not touched, and keep what is typed or pulled in them. */
export function fill(element, children) {
  const fresh = [children].flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== "");
  for (const old of [...element.childNodes]) if (!fresh.includes(old)) old.remove();
  fresh.forEach((child, i) => {
    const there = element.childNodes[i] ?? null;
    if (there !== child) element.insertBefore(child instanceof Node ? child : document.createTextNode(child), there);
  });
}

/** A folded part of the page that is drawn when it is opened, and again by what it returns. */
export function folded(title, draw) {
  const inside = h("div");
  const part = h("details", {}, h("summary", {}, title), inside);
  const redraw = () => {
    if (part.open) fill(inside, draw());
  };
  part.addEventListener("toggle", redraw);
  return [part, redraw];
}

/** A list to choose from, which keeps the focus when it is drawn again. */
export function choice(label, options, chosen, change) {
  const select = h("select", { id: `choose-${label.toLowerCase().replaceAll(/\W+/g, "-")}`, onchange: () => change(select.value) });
  for (const { value, words, why } of options) {
    select.append(h("option", { value, selected: value === chosen, disabled: Boolean(why), title: why || null }, words));
  }
  return h("label", { class: "choice" }, h("span", {}, label), select);
}

function minus(text) {
  return text.replace("-", "−");
}

export function signed(number, decimals = 2) {
  const text = Math.abs(number).toFixed(decimals);
  const isNothing = !/[1-9]/.test(text);
  return `${number < 0 && !isNothing ? "−" : "+"}${text}`;
}

export function digits(number, decimals) {
  return minus(number.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
}

/** A share as per cent, with as many decimals as show on which side of the line it lies. */
export function percent(share, line = null) {
  for (let decimals = 0; decimals < 6; decimals += 1) {
    const text = (100 * share).toFixed(decimals);
    if (line === null || share >= line === Number(text) >= Number((100 * line).toFixed(6))) return `${minus(text)} %`;
  }
  return `${(100 * share).toFixed(6)} %`;
}

export function capital(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function download(name, type, text) {
  const link = h("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
