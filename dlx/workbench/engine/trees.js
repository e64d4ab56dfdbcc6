// A sum of trees: predictions, and exact Shapley values. See dlx.trees and dlx.kernels.trees.
//
// Nodes stand in preorder: the left child of a node is the next one, and which is the right one follows from the leaves. Rows
// are read in the precision in which the trees compare, so that each goes the same way as in Python; sums are in float64.

import { readArray } from "./arrays.js";
import { EngineError } from "./columns.js";

const NOBODY = 0;
const THEIRS = 1;
const OURS = 2;

/** Return written trees, ready to be walked. */
export function readTrees(written) {
  const feature = readArray(written.feature);
  const count = feature.length;
  const trees = { ...written, feature, right: new Int32Array(count), roots: [], value: new Float64Array(count) };
  trees.threshold = new Float64Array(count);
  trees.missingLeft = new Uint8Array(count);
  trees.setStart = new Int32Array(count).fill(-1);
  trees.setSize = new Int32Array(count);
  const [threshold, value, missing] = [written.threshold, written.value, written.missing_left].map(readArray);
  const sets = written.words ? [written.set_start, written.set_size, written.words].map(readArray) : null;
  trees.words = sets && sets[2];
  const open = [];
  let inner = 0;
  for (let node = 0; node < count; node += 1) {
    if (node === 0 || (feature[node - 1] < 0 && open.length === 0)) trees.roots.push(node);
    else if (feature[node - 1] < 0) trees.right[open.pop()] = node;
    if (feature[node] < 0) {
      trees.value[node] = value[node - inner];
    } else {
      trees.threshold[node] = threshold[inner];
      trees.missingLeft[node] = (missing[inner >> 3] >> (inner & 7)) & 1;
      if (sets) [trees.setStart[node], trees.setSize[node]] = [sets[0][inner], sets[1][inner]];
      open.push(node);
      inner += 1;
    }
  }
  return trees;
}

/** Return a row as the trees read it: in their precision, with codes that stand for numbers in place, NaN where missing. */
export function readForTrees(trees, row) {
  const read = trees.precision === "float32" ? Float64Array.from(row, Math.fround) : Float64Array.from(row);
  for (const [column, code, number] of trees.placed) if (read[column] === code) read[column] = number;
  for (const [column, from, to] of trees.absent) if (read[column] >= from && read[column] <= to) read[column] = NaN;
  if (!trees.takes_missing && read.some(Number.isNaN)) throw new EngineError("these trees take no missing value");
  return read;
}

/** Return the sum of the leaves of a row as the trees read it. */
export function sumOfLeaves(trees, read) {
  let total = trees.base;
  for (const root of trees.roots) {
    let node = root;
    while (trees.feature[node] >= 0) node = goesLeft(trees, node, read) ? node + 1 : trees.right[node];
    total += trees.value[node];
  }
  return total;
}

function goesLeft(trees, node, read) {
  const value = read[trees.feature[node]];
  if (value !== value) return trees.missingLeft[node] === 1;
  if (trees.setStart[node] < 0) return value <= trees.threshold[node];
  if (!(value >= 0 && value < 32 * trees.setSize[node])) return false;
  return ((trees.words[trees.setStart[node] + (value >> 5)] >>> (value & 31)) & 1) === 1;
}

/**
 * Return exact interventional Shapley values of a row against the mean of references, all as the trees read them.
 *
 * Against one reference, only the leaves are visited that a mixture of the two can reach. On the way to one, `theirs` columns
 * must have the person's value and `ours` the reference's: a game whose values are known (Laberge and Pequignot 2022). A
 * column gets what the leaves below the node give that decides its side.
 */
export function treeShapleyValues(trees, read, references) {
  const values = new Float64Array(read.length);
  const side = new Uint8Array(read.length);
  const below = [0, 0]; // what the leaves below the last node give each column of theirs, and take from each of ours
  const walk = (node, reference, theirs, ours) => {
    const column = trees.feature[node];
    if (column < 0) {
      below[0] = theirs > 0 ? trees.value[node] * shareOfColumn(theirs, ours) : 0;
      below[1] = ours > 0 ? trees.value[node] * shareOfColumn(ours, theirs) : 0;
      return;
    }
    const mine = goesLeft(trees, node, read) ? node + 1 : trees.right[node];
    const other = goesLeft(trees, node, reference) ? node + 1 : trees.right[node];
    if (mine === other || side[column] !== NOBODY) {
      walk(side[column] === OURS ? other : mine, reference, theirs, ours);
      return;
    }
    side[column] = THEIRS;
    walk(mine, reference, theirs + 1, ours);
    const [given, taken] = below;
    values[column] += given;
    side[column] = OURS;
    walk(other, reference, theirs, ours + 1);
    values[column] -= below[1];
    side[column] = NOBODY;
    below[0] += given;
    below[1] += taken;
  };
  for (const reference of references) for (const root of trees.roots) walk(root, reference, 0, 0);
  return values.map((value) => value / references.length);
}

/** Return (a - 1)! b! / (a + b)!. */
function shareOfColumn(a, b) {
  let found = 1 / a;
  for (let i = 1; i <= b; i += 1) found *= i / (a + i);
  return found;
}
