// What is on the screen, in one object; a link holds all of it that is not as it was opened.

import { NO_FILTER } from "./filters.js";

const HELD = ["class", "person", "model", "method", "unit", "against", "threshold", "range", "find", "sort", "decision", "group", "part", "possible", "tree"];
const MOST_STEPS = 100; // that can be undone
const ONE_STEP = 800; // milliseconds: a slider that is pulled is one step
const AT_REST = 300; // milliseconds without a change, after which the link is written: browsers refuse too many

/** Return the state as it was opened; of what a link says, `fits[name](value)` tells whether there is such a thing here. */
export function makeState(opened, columns, fits) {
  let now = { ...opened, changes: {}, cohorts: [], strange: [] };
  const listeners = [];
  let steps = []; // changes as they were before, the last one at the end
  let writing = null;

  function set(patch) {
    const before = now;
    now = { ...now, strange: [], ...patch };
    if ("person" in patch && patch.person !== before.person) {
      steps = [];
      if (!("changes" in patch)) now.changes = {};
    } else if ("changes" in patch) remember(before.changes, patch.changes);
    tell(before);
  }

  function tell(before) {
    clearTimeout(writing);
    writing = setTimeout(write, AT_REST);
    for (const listener of listeners) listener(now, before);
  }

  /** Write the link, which is done once nothing changes for a moment. */
  function write() {
    clearTimeout(writing);
    const isMoved = HELD.some((name) => now[name] !== opened[name]) || Object.keys(now.changes).length || now.cohorts.length;
    if (isMoved || location.hash.includes("=")) history.replaceState(null, "", `#${asText()}`);
  }

  function remember(before, after) {
    const which = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => !Object.is(before[name], after[name])).join();
    const last = steps.at(-1);
    if (!last || last.which !== which || performance.now() - last.at > ONE_STEP) steps = [...steps.slice(1 - MOST_STEPS), { changes: before, which, at: 0 }];
    steps.at(-1).at = performance.now();
  }

  function undo() {
    if (!steps.length) return;
    const before = now;
    now = { ...now, changes: steps.at(-1).changes };
    steps = steps.slice(0, -1);
    tell(before);
  }

  function asText() {
    const parts = HELD.filter((name) => name === "person" || now[name] !== opened[name]).map((name) => [name, now[name]]);
    const changed = Object.entries(now.changes).map(([name, code]) => [`c.${name}`, Number.isNaN(code) ? "missing" : code]);
    const cohorts = now.cohorts.map((one) => ["cohort", new URLSearchParams(one).toString()]);
    return new URLSearchParams([...parts, ...changed, ...cohorts]).toString();
  }

  /** Take up what a link says, and in `strange` what of it is nothing here; a column may be named with or without "c." before it. */
  function read(text) {
    if (!text.includes("=")) return false;
    const found = { ...opened, changes: {}, cohorts: [], strange: [] };
    for (const [name, said] of new URLSearchParams(text)) {
      const column = columns.find((one) => one.name === name.replace(/^c\./, ""));
      const value = name === "threshold" ? Number(said) : said;
      if (name === "cohort") found.cohorts.push({ ...NO_FILTER, ...Object.fromEntries(new URLSearchParams(said)) });
      else if (said === "") continue;
      else if (HELD.includes(name) && (fits[name]?.(value) ?? true)) found[name] = value;
      else if (column && isCode(column, codeOf(column, said))) found.changes[column.name] = codeOf(column, said);
      else found.strange.push(`${name}=${said}`);
    }
    set(found);
    return true;
  }

  return { get: () => now, set, undo, read, write, listen: (listener) => listeners.push(listener), canUndo: () => steps.length > 0 };
}

/** Return the code of what somebody typed: a level by its label or as the table spells it, a number, or missing. */
export function codeOf(column, text) {
  if (text === "" || text === "missing" || text === column.missing) return NaN;
  const place = column.kind === "categorical" ? Math.max(column.levels.indexOf(text), column.spelled.indexOf(text)) : -1;
  return place >= 0 ? place : Number(text);
}

/** Whether somebody could have a code in a column. */
export function isCode(column, code) {
  if (Number.isNaN(code)) return column.missing !== null;
  return column.kind === "categorical" ? column.levels[code] !== undefined : Number.isFinite(code);
}
