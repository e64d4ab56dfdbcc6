// A net as a list of steps, each after those that it takes; step 0 is the dense input. See dlx.kernels.gradients.graph.
//
// What is linear in the input is one matrix: the front, all that the nonlinear steps depend on. So the front of a mixture of
// two rows is a sum, one term a column, and no row is mixed or encoded. Weights are the net's own, sums are in float64.

import { additiveOutput, readAdditive } from "./additive.js";
import { readArray } from "./arrays.js";
import { encodeCode } from "./columns.js";
import { headOf, isHead, nonlinearity } from "./nonlinearities.js";
import { addRow, multiply, transposed } from "./products.js";

const BLOCK = 64; // rows at a time: their values stay in the cache

/** Return a written net, ready to be evaluated. */
export function readNet({ width, precision, steps: written }) {
  const steps = [{ op: "given", from: [], width }];
  for (const one of written) steps.push(readStep(one, steps));
  const isStraight = [];
  steps.forEach((step, i) => {
    isStraight[i] = ["given", "dense", "scaled", "added"].includes(step.op) && step.from.every((source) => isStraight[source]);
  });
  const last = steps.length - 1;
  const used = new Set(steps.flatMap((step, i) => (isStraight[i] ? [] : step.from)));
  used.add(last);
  const front = steps.map((_, i) => i).filter((i) => isStraight[i] && used.has(i));
  const net = { width, precision, steps, isStraight, front, last, scratch: [] };
  net.frontWidth = front.reduce((total, i) => total + steps[i].width, 0);
  return Object.assign(net, composedFront(net));
}

function readStep(written, before) {
  if (written.op === "additive") return readAdditive(written);
  const step = { ...written, width: before[written.from[0]].width };
  if (step.op === "dense") {
    step.inputs = step.width;
    [step.width] = written.weight.shape;
    step.weight = Float64Array.from(readArray(written.weight)); // [outputs, inputs]
    step.turned = transposed(step.weight, step.width, step.inputs);
    step.bias = written.bias && Float64Array.from(readArray(written.bias));
  } else if (step.op === "scaled") {
    step.factor = Float64Array.from(readArray(written.factor));
    step.shift = Float64Array.from(readArray(written.shift));
  } else if (isHead(step)) {
    step.inputs = step.width;
    step.width = 1;
  } else if (step.op !== "added") {
    step.curve = nonlinearity(step);
  }
  return step;
}

/** Return what the front is of an input of zeros, and what each dense column adds to it, [width, frontWidth]. */
function composedFront(net) {
  const rows = net.width + 1;
  const units = new Float64Array(rows * net.width);
  for (let i = 0; i < net.width; i += 1) units[(i + 1) * net.width + i] = 1;
  const values = [units];
  net.steps.forEach((step, i) => {
    if (i > 0 && net.isStraight[i]) values[i] = stepValue(net, step, values, rows, new Float64Array(rows * step.width));
  });
  const joined = new Float64Array(rows * net.frontWidth);
  let start = 0;
  for (const i of net.front) {
    const { width } = net.steps[i];
    for (let row = 0; row < rows; row += 1) {
      joined.set(rowOf(values[i], row, width), row * net.frontWidth + start);
    }
    start += width;
  }
  const zero = joined.slice(0, net.frontWidth);
  const ofDense = joined.slice(net.frontWidth);
  for (let i = 0; i < net.width; i += 1) addRow(-1, zero, 0, ofDense, i * net.frontWidth, net.frontWidth);
  return { frontOfZeros: zero, frontOfDense: ofDense };
}

function stepValue(net, step, values, rows, into) {
  const size = rows * step.width;
  const source = values[step.from[0]];
  if (step.op === "dense") {
    multiply(source, step.turned, step.bias, into, rows, step.inputs, step.width);
  } else if (step.op === "scaled") {
    for (let i = 0; i < size; i += 1) into[i] = source[i] * step.factor[i % step.width] + step.shift[i % step.width];
  } else if (step.op === "added") {
    for (let i = 0; i < size; i += 1) into[i] = source[i] + step.number;
    for (const other of step.from.slice(1)) addRow(1, values[other], 0, into, 0, size);
  } else if (step.op === "relu") {
    for (let i = 0; i < size; i += 1) into[i] = source[i] > 0 ? source[i] : 0;
  } else if (step.op === "additive") {
    for (let row = 0; row < rows; row += 1) into[row] = additiveOutput(step, rowOf(source, row, step.inputs));
  } else if (isHead(step)) {
    for (let row = 0; row < rows; row += 1) into[row] = headOf(step, rowOf(source, row, step.inputs));
  } else {
    for (let i = 0; i < size; i += 1) into[i] = step.curve(source[i]);
  }
  return into;
}

/** Return a row of a matrix of so many columns. */
export function rowOf(matrix, row, width) {
  return matrix.subarray(row * width, (row + 1) * width);
}

/** Add a factor times what a code of a column gives the front. */
export function addFrontOfCode(net, column, code, factor, into, start) {
  const dense = net.precision === "float64" ? new Float64Array(column.width) : new Float32Array(column.width);
  encodeCode(column, code, dense, 0);
  for (let i = 0; i < dense.length; i += 1) {
    if (dense[i] !== 0) {
      addRow(factor * dense[i], net.frontOfDense, (column.start + i) * net.frontWidth, into, start, net.frontWidth);
    }
  }
}

/** Return the front of rows, [rows, frontWidth]. */
export function frontOfRows(net, columns, rows) {
  const fronts = new Float64Array(rows.length * net.frontWidth);
  rows.forEach((row, i) => {
    fronts.set(net.frontOfZeros, i * net.frontWidth);
    columns.forEach((column, j) => addFrontOfCode(net, column, row[j], 1, fronts, i * net.frontWidth));
  });
  return fronts;
}

/** Return the value of each step that is in the front or comes after it, by step, from fronts [rows, frontWidth]. */
export function stepValues(net, fronts, first, rows) {
  const values = [];
  const buffer = (i) => {
    const size = Math.max(BLOCK, rows) * net.steps[i].width;
    if (!net.scratch[i] || net.scratch[i].length < size) net.scratch[i] = new Float64Array(size);
    return net.scratch[i];
  };
  let start = 0;
  for (const i of net.front) {
    const { width } = net.steps[i];
    values[i] = buffer(i);
    for (let row = 0; row < rows; row += 1) {
      const from = (first + row) * net.frontWidth + start;
      for (let k = 0; k < width; k += 1) values[i][row * width + k] = fronts[from + k];
    }
    start += width;
  }
  net.steps.forEach((step, i) => {
    if (!net.isStraight[i]) values[i] = stepValue(net, step, values, rows, buffer(i));
  });
  return values;
}

/** Return the net's output of fronts [rows, frontWidth]. */
export function outputsOfFronts(net, fronts, rows) {
  const outputs = new Float64Array(rows);
  for (let first = 0; first < rows; first += BLOCK) {
    const some = Math.min(BLOCK, rows - first);
    outputs.set(stepValues(net, fronts, first, some)[net.last].subarray(0, some), first);
  }
  return outputs;
}
