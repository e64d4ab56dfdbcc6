// A list of people of which only what can be seen is drawn; arrows, Home, End and the page keys move the choice.

import { h } from "./dom.js";

const HIGH = 30;

/** Return the list's element, and a function that shows some people: their places, the chosen one, and how each is told. */
export function peopleList(label, choose) {
  const inside = h("div", { class: "all" });
  const box = h("div", { class: "list", role: "listbox", tabindex: 0, "aria-label": label }, inside);
  let shown = { places: [], chosen: null, line: () => [] };

  function draw() {
    const { places, chosen, line } = shown;
    const first = Math.max(0, Math.floor(box.scrollTop / HIGH) - 4);
    const last = Math.min(places.length, first + Math.ceil((box.clientHeight || 420) / HIGH) + 8);
    inside.style.height = `${places.length * HIGH}px`;
    const drawn = places.slice(first, last).map((person, i) =>
      h(
        "div",
        {
          class: "one",
          role: "option",
          id: `person-at-${person}`,
          "aria-selected": String(person === chosen),
          "aria-setsize": places.length,
          "aria-posinset": first + i + 1,
          style: `top:${(first + i) * HIGH}px`,
          onclick: () => choose(person),
        },
        line(person),
      ),
    );
    inside.replaceChildren(...drawn);
    const isDrawn = places.slice(first, last).includes(chosen);
    if (isDrawn) box.setAttribute("aria-activedescendant", `person-at-${chosen}`);
    else box.removeAttribute("aria-activedescendant");
  }

  function move(event) {
    const { places, chosen } = shown;
    const page = Math.floor(box.clientHeight / HIGH) - 1;
    const at = places.indexOf(chosen);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: places.length - 1 }[event.key];
    if (to === undefined || !places.length) return;
    event.preventDefault();
    choose(places[Math.min(places.length - 1, Math.max(0, to))]);
  }

  box.addEventListener("scroll", draw);
  box.addEventListener("keydown", move);
  new ResizeObserver(draw).observe(box);

  function show(next) {
    const isOther = next.chosen !== shown.chosen || next.places !== shown.places;
    shown = next;
    const at = next.places.indexOf(next.chosen);
    const isSeen = at * HIGH >= box.scrollTop && (at + 1) * HIGH <= box.scrollTop + box.clientHeight;
    if (isOther && at >= 0 && !isSeen) box.scrollTop = Math.max(0, at * HIGH - box.clientHeight / 2);
    draw();
  }

  return [box, show];
}
