// Of several classes the workbench tells of one at a time, that class against all others.

import { openBook } from "./book.js";
import { openWorkbench } from "./workbench.js";

/**
 * Open the workbench of the class that a link names, or of the one that the page tells of.
 *
 * `held` is what is shared; `bookOf(name)` gives what is of a class, a promise or not; `answersFor(book)` what answers.
 */
export function openClasses(place, held, bookOf, answersFor) {
  const { classes } = held;
  let close = () => {};
  const open = async (name) => {
    const book = openBook({ ...held, ...(await bookOf(name)) });
    close();
    const answers = answersFor(book);
    const closeThis = openWorkbench(place, book, answers, classes && { ...classes, now: name }, open);
    close = () => (closeThis(), answers.close());
  };
  const asked = new URLSearchParams(location.hash.slice(1)).get("class");
  return open(classes?.names.includes(asked) ? asked : classes?.told);
}
