// Original columns: whether codes fit them, and their dense encoding. See dlx.encoder.Encoder.

const LARGEST_CODE = 3.4028234663852886e38; // of float32, as in dlx.schema

/** What the engine was asked that it cannot answer: a code that nobody could have, a scale that a model lacks. */
export class EngineError extends Error {}

/** Throw an EngineError where a row does not fit the columns: its length, a code that is no level, a gap that may not be. */
export function checkRow(columns, row) {
  if (row.length !== columns.length) {
    throw new EngineError(`a row must have ${columns.length} columns, got ${row.length}`);
  }
  for (let i = 0; i < columns.length; i += 1) {
    const { name, levels, missing } = columns[i];
    const code = row[i];
    if (Number.isNaN(code)) {
      if (!missing) throw new EngineError(`${name} must not be missing`);
    } else if (levels > 0 && !(Number.isInteger(code) && code >= 0 && code < levels)) {
      throw new EngineError(`${name} must be a code from 0 to ${levels - 1}, got ${code}`);
    } else if (!(Math.abs(code) <= LARGEST_CODE)) {
      throw new EngineError(`${name} must be a finite number, got ${code}`);
    }
  }
}

/** Write the dense columns of one code of a column into zeros, from a position on. */
export function encodeCode(column, code, dense, start) {
  const { as, width, special, center, scale } = column;
  const besideStart = start + width - special.length - (column.missing ? 1 : 0);
  if (Number.isNaN(code)) {
    dense[start + width - 1] = 1;
  } else if (special.includes(code)) {
    dense[besideStart + special.indexOf(code)] = 1;
  } else if (as === "number") {
    dense[start] = (code - center) / scale;
  } else if (as === "steps") {
    for (let step = 0; start + step < besideStart; step += 1) dense[start + step] = code > step ? 0.5 : -0.5;
  } else {
    dense[start + code] = 1;
  }
}

/** Whether two codes of a column are the same, or both missing. */
export function sameCode(a, b) {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}
