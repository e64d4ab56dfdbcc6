// The workbench in a page's own file: filled when the fold around it is opened, or a link leads to somebody.

import { openClasses } from "./workbench.js";
import { answersHere } from "./here.js";
import { work } from "./worker.js";

function start() {
  const place = document.getElementById("workbench");
  const fold = place.closest("details");
  const source = URL.createObjectURL(new Blob([document.currentScript.textContent], { type: "text/javascript" }));
  let isFilled = false;
  const fill = () => {
    if (!fold.open || isFilled) return;
    isFilled = true;
    const held = JSON.parse(document.getElementById("workbench-book").textContent);
    openClasses(place, held, (name) => (name && held.classes.others[name]) ?? {}, (book) => answersHere(book, source));
  };
  const follow = () => {
    if (location.hash.includes("=")) fold.open = true;
  };
  fold.addEventListener("toggle", fill);
  addEventListener("hashchange", follow);
  follow();
}

if (typeof document === "undefined") work(self);
else start();
