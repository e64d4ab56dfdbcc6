// "How does this method get its answer?": a figure that is stepped through, of the very person on the screen.

import { choice, h } from "./dom.js";
import { cloudDemo } from "./learn_cloud.js";
import { everybodyDemo } from "./learn_everybody.js";
import { ordersDemo } from "./learn_orders.js";
import { pathDemo, referencesDemo } from "./learn_paths.js";
import { unitsOf } from "./learn_words.js";

const PACE = 900; // milliseconds of a step that plays
const [NARROW, WIDE] = [280, 640];
const DEMOS = {
  orders: { words: "Shapley values", make: ordersDemo, fits: () => true },
  path: { words: "Integrated gradients", make: pathDemo, fits: (engine) => engine?.kind === "net" },
  references: { words: "DeepLIFT", make: referencesDemo, fits: (engine) => engine?.kind === "net" && engine.hasRescaleRule },
  cloud: { words: "LIME", make: cloudDemo, fits: () => true },
  everybody: { words: "Partial dependence", make: everybodyDemo, fits: () => true },
};

/** Return the part of the page, and a function that says what is shown now: {view, found, background}. */
export function learnPart(bench) {
  const inside = h("div", { class: "learn" });
  const part = h("details", {}, h("summary", {}, "How does this method get its answer?"), inside);
  let [now, drawn, asked] = [null, "", ""];
  let stop = () => {};
  let turn = 0;

  const keyOf = () => JSON.stringify([now.view.model, now.view.method, now.view.unit, now.view.against, Array.from(now.view.row, String), now.background.length]);
  const demoOf = () => asked || (ownDemo(now.view) ?? "orders");

  async function draw() {
    if (!part.open || !now) return;
    const key = keyOf();
    const isKnown = now.found && now.found.isLast !== false; // not while it is still sharpened
    if (isKnown && key === drawn) return;
    const mine = (turn += 1);
    stop();
    stop = () => {};
    drawn = isKnown ? key : "";
    if (!isKnown) return inside.replaceChildren(h("p", { class: "quiet" }, "As soon as the contributions above are known."));
    const { engine, predict, why } = await bench.answers.model(now.view.model).catch(({ message }) => ({ engine: null, predict: null, why: message }));
    if (mine !== turn) return; // somebody or something else was asked for meanwhile
    const options = Object.entries(DEMOS).map(([value, one]) => ({ value, words: one.words, why: one.fits(engine) ? "" : `not of ${now.view.model}` }));
    const named = options.some(({ value, why: not }) => value === demoOf() && !not) ? demoOf() : "orders";
    const select = choice("Shown", options, named, (demo) => {
      asked = demo;
      drawn = "";
      draw();
    });
    if (!predict) return inside.replaceChildren(h("p", { class: "quiet" }, `This page cannot evaluate ${now.view.model}: ${why}.`));
    const place = h("div", {}, h("p", { class: "quiet" }, "Computing …"));
    const other = named === ownDemo(now.view) || asked ? null : h("p", { class: "quiet" }, `${now.found.label} is not shown step by step; this is another method.`);
    inside.replaceChildren(h("div", { class: "choices" }, select), ...(other ? [other] : []), place);
    try {
      const demo = await DEMOS[named].make(questionOf(bench, now, engine, predict, named));
      if (mine !== turn) return;
      stop = player(place, demo);
    } catch (error) {
      place.replaceChildren(h("p", { class: "objection" }, error.message));
    }
  }

  part.addEventListener("toggle", () => {
    drawn = "";
    if (part.open) draw();
    else stop();
  });
  const show = (next) => {
    const isOther = now && next.view.method !== now.view.method;
    now = next;
    if (isOther) asked = "";
    draw();
  };
  return [part, show];
}

/** Return which demonstration is of the method that is shown; undefined where none is. */
function ownDemo(view) {
  return methodOf(view)?.shown_as || undefined;
}

const methodOf = (view) => view.options.find((one) => one.value === view.method);

/** Return all that a demonstration needs of the person, the model and the method as they are shown. */
function questionOf({ book }, { view, found, background }, engine, predict, demo) {
  const { scales } = book.models.find((one) => one.name === view.model);
  const scale = found?.scale ?? (view.unit && scales.includes(view.unit) ? view.unit : scales[0]);
  const isOwn = demo === ownDemo(view);
  const stored = isOwn || view.isChanged || view.isOther ? null : storedFor(book, view, demo, scale);
  const values = isOwn ? found : stored && { values: stored.valuesAt(stored.place.get(view.person)), label: stored.label };
  return {
    book,
    view,
    engine,
    scale,
    background,
    predict: (rows) => predict(rows, scale),
    units: unitsOf(book, scale),
    shown: values ? { values: values.values, label: values.label, isOwn, isRandom: isOwn && demo === "path" && methodOf(view).is_random } : null,
    order: found ? Array.from(found.values.keys()).sort((a, b) => Math.abs(found.values[b]) - Math.abs(found.values[a])) : null,
  };
}

/** Return what the page holds of a method that a demonstration is of, about this person. */
function storedFor(book, view, demo, scale) {
  const isOf = (one) => one.shown_as === demo && !(demo === "path" && one.is_random);
  return book.explanations.find((one) => isOf(one) && one.model === view.model && one.scale === scale && one.place.has(view.person));
}

/** Show a demonstration, {frames, name, draw(frame, width) -> {picture, words, short}, extra}; return what ends it. */
function player(place, demo) {
  let frame = 0;
  let timer = null;
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const figure = h("div", { "data-figure": demo.name });
  const words = h("p", { class: "step" });
  const slider = h("input", { type: "range", min: 0, max: demo.frames - 1, step: 1, value: 0, "aria-label": "Step", oninput: () => go(Number(slider.value)) });
  const back = h("button", { type: "button", onclick: () => go(frame - 1) }, "Back");
  const on = h("button", { type: "button", onclick: () => go(frame + 1) }, "Step");
  const play = h("button", { type: "button", onclick: () => (timer ? halt() : start()) }, "Play");
  place.replaceChildren(h("div", { class: "steps" }, back, on, isStill ? null : play, slider), ...(demo.extra ? [demo.extra] : []), words, figure);

  function show() {
    const wide = Math.max(NARROW, Math.min(WIDE, place.clientWidth || WIDE));
    frame = Math.min(frame, demo.frames - 1);
    const drawn = demo.draw(frame, wide);
    figure.replaceChildren(drawn.picture);
    words.replaceChildren(h("span", { class: "quiet" }, `${frame + 1} of ${demo.frames}. `), drawn.words);
    words.setAttribute("aria-live", timer ? "off" : "polite");
    Object.assign(slider, { max: demo.frames - 1, value: frame });
    slider.setAttribute("aria-valuetext", `${frame + 1} of ${demo.frames}`);
    back.disabled = frame === 0;
    on.disabled = frame === demo.frames - 1;
  }
  function go(to) {
    if (timer) halt();
    frame = Math.min(demo.frames - 1, Math.max(0, to));
    show();
  }
  function halt() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    show();
  }
  function start() {
    if (frame === demo.frames - 1) frame = -1;
    play.textContent = "Pause";
    timer = setInterval(() => {
      frame += 1;
      show();
      if (frame === demo.frames - 1) halt();
    }, PACE);
  }
  const watch = new ResizeObserver(() => show());
  watch.observe(place);
  demo.redraw = () => show();
  show();
  return () => {
    clearInterval(timer);
    watch.disconnect();
  };
}
