// What is on the screen, in one object; a link holds all of it that is not as it was opened.

const HELD = ["person", "model", "method", "unit", "against", "threshold", "find", "sort", "decision", "group"];

export function makeState(opened, columns) {
  let now = { ...opened, changes: {} };
  const listeners = [];

  function set(patch) {
    const before = now;
    now = { ...now, ...patch };
    if ("person" in patch && patch.person !== before.person && !("changes" in patch)) now.changes = {};
    for (const listener of listeners) listener(now, before);
    const isMoved = HELD.some((name) => now[name] !== opened[name]) || Object.keys(now.changes).length;
    if (isMoved || location.hash.includes("=")) history.replaceState(null, "", `#${asText()}`);
  }

  function asText() {
    const parts = HELD.filter((name) => name === "person" || now[name] !== opened[name]).map((name) => [name, now[name]]);
    const changed = Object.entries(now.changes).map(([name, code]) => [`c.${name}`, Number.isNaN(code) ? "missing" : code]);
    return new URLSearchParams([...parts, ...changed]).toString();
  }

  /** Take up what a link says; a column may be named with or without "c." before it. */
  function read(text) {
    if (!text.includes("=")) return false;
    const found = { ...opened, changes: {} };
    for (const [name, value] of new URLSearchParams(text)) {
      const column = columns.find((one) => one.name === name.replace(/^c\./, ""));
      if (HELD.includes(name)) found[name] = name === "threshold" ? Number(value) : value;
      else if (column) found.changes[column.name] = value === "missing" ? NaN : codeOf(column, value);
    }
    set(found);
    return true;
  }

  return { get: () => now, set, read, asText, listen: (listener) => listeners.push(listener) };
}

/** Return the code of what somebody typed: a level by its label or as the table spells it, a number, or missing. */
export function codeOf(column, text) {
  if (text === "" || text === (column.missing ?? "missing")) return NaN;
  const place = column.kind === "categorical" ? Math.max(column.levels.indexOf(text), column.spelled.indexOf(text)) : -1;
  return place >= 0 ? place : Number(text);
}
