// The workbench on a page that a server sent.

import { openBook } from "./book.js";
import { answersThere } from "./there.js";
import { openWorkbench } from "./workbench.js";

async function start() {
  const book = openBook(await (await fetch(`book${location.search}`)).json());
  openWorkbench(document.getElementById("workbench"), book, answersThere(book));
}

start();
