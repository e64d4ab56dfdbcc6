// The workbench on a page that a server sent.

import { answersThere, fetched } from "./there.js";
import { openClasses } from "./workbench.js";

async function start() {
  const held = await fetched("book");
  openClasses(document.getElementById("workbench"), held, (name) => (name === held.classes?.told ? {} : fetched("book", { class: name })), answersThere);
}

start();
