// Products of matrices and sums, in float64: V8 converts each float32 that it reads, which takes longer than the product.

const TOGETHER = 8; // rows of the weights that are added in one sweep, so that sums stay in registers

/**
 * Write from · weight + bias [rows, outputs], of from [rows, inputs] and weight [inputs, outputs]; a number that is 0 costs
 * nothing, and behind a ReLU half of them are.
 */
export function multiply(from, weight, bias, into, rows, inputs, outputs) {
  const starts = new Int32Array(inputs);
  const factors = new Float64Array(inputs);
  for (let row = 0; row < rows; row += 1) {
    let count = 0;
    for (let i = 0; i < inputs; i += 1) {
      const value = from[row * inputs + i];
      if (value !== 0) {
        starts[count] = i * outputs;
        factors[count] = value;
        count += 1;
      }
    }
    const start = row * outputs;
    for (let o = 0; o < outputs; o += 1) into[start + o] = bias === null ? 0 : bias[o];
    let i = 0;
    for (; i + TOGETHER <= count; i += TOGETHER) addEight(factors, starts, i, weight, into, start, outputs);
    for (; i < count; i += 1) addRow(factors[i], weight, starts[i], into, start, outputs);
  }
}

/** Add a factor times a row of a matrix. */
export function addRow(factor, matrix, from, into, start, width) {
  for (let o = 0; o < width; o += 1) into[start + o] += factor * matrix[from + o];
}

function addEight(factors, starts, i, weight, into, start, width) {
  const [f0, f1, f2, f3] = [factors[i], factors[i + 1], factors[i + 2], factors[i + 3]];
  const [f4, f5, f6, f7] = [factors[i + 4], factors[i + 5], factors[i + 6], factors[i + 7]];
  const [s0, s1, s2, s3] = [starts[i], starts[i + 1], starts[i + 2], starts[i + 3]];
  const [s4, s5, s6, s7] = [starts[i + 4], starts[i + 5], starts[i + 6], starts[i + 7]];
  for (let o = 0; o < width; o += 1) {
    into[start + o] +=
      f0 * weight[s0 + o] +
      f1 * weight[s1 + o] +
      f2 * weight[s2 + o] +
      f3 * weight[s3 + o] +
      (f4 * weight[s4 + o] + f5 * weight[s5 + o] + f6 * weight[s6 + o] + f7 * weight[s7 + o]);
  }
}

/** Return a matrix [rows, columns] transposed. */
export function transposed(matrix, rows, columns) {
  const turned = new Float64Array(matrix.length);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) turned[j * rows + i] = matrix[i * columns + j];
  }
  return turned;
}

/** Return the scalar product of a part of a matrix, from a position on, with a vector. */
export function product(matrix, from, vector) {
  let total = 0;
  for (let i = 0; i < vector.length; i += 1) total += matrix[from + i] * vector[i];
  return total;
}

export function sumOf(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0);
}

export function meanOf(numbers) {
  return sumOf(numbers) / numbers.length;
}
