// How LIME gets its answer, step by step: random people, the kernel that says how much each counts, and a linear fit to what the
// model says of them. See dlx.kernels.lime, whose law of random people and whose fit these are.
//
// A column here is {levels, special}: how many levels it has (0 of a number), and codes that stand for no number.

import { meanOf, sumOf } from "./products.js";
import { randomNumbers } from "./random.js";

const MOST_TRIES = 200; // of a number that falls into its bin
const KERNEL_WIDTH = 0.75; // lime's, in units of the root of the number of columns
const PENALTY = 1; // of lime's ridge
const PAIRED = 1_024; // random people who are asked again about a bin that is in none of them

/**
 * Return the cloud around a row, {absent, outputs, bins, own, lone, shares}; `predict(rows)` gives a promise of the outputs.
 *
 * The first of the cloud is the row itself. `absent` says in how many columns each of the others is in another bin than
 * the row; `lone` is the weight of columns whose bin is in none of them, NaN of the others (see dlx.kernels.lime.surrogates).
 */
export async function cloudAround(predict, columns, row, background, { count, seed = 0 }) {
  const random = randomNumbers(seed);
  const laws = columns.map((column, j) => lawOf(column, background.map((one) => one[j])));
  const own = Int32Array.from(row, (code, j) => laws[j].bin(code));
  const rows = Array.from({ length: count - 1 }, () => Float64Array.from(laws, (law) => law.draw(random)));
  const bins = rows.map((one) => Int32Array.from(one, (code, j) => laws[j].bin(code)));
  const lone = Float64Array.from(own, (bin, j) => (bins.some((one) => one[j] === bin) ? NaN : 0));
  const isAlone = (j) => !Number.isNaN(lone[j]);
  const asked = rows.slice(0, PAIRED);
  const again = [...lone.keys()].filter(isAlone).flatMap((j) => asked.map((one) => changedAt(one, j, row[j])));
  const [prediction, ...rest] = await predict([row, ...rows, ...again]);
  const absent = bins.map((one) => one.reduce((sum, bin, j) => sum + Number(bin !== own[j]), 0));
  let next = rows.length;
  for (const j of [...lone.keys()].filter(isAlone)) {
    const weights = asked.map((_, i) => kernelAt(absent[i], columns.length));
    const total = sumOf(weights);
    lone[j] = weights.reduce((sum, weight, i) => sum + weight * (rest[next + i] - rest[i]), 0) / total;
    next += asked.length;
  }
  const first = Int32Array.from(own, (bin, j) => (isAlone(j) ? -1 : bin));
  return {
    absent: [0, ...absent],
    outputs: [prediction, ...rest.slice(0, rows.length)],
    bins: [first, ...bins],
    own,
    lone,
    shares: Float64Array.from(laws, (law, j) => law.share(own[j])),
  };
}

/** How much a random person counts in whom so many of the columns are absent; `width` is a multiple of lime's. */
export function kernelAt(absent, columns, width = 1) {
  return Math.exp(-absent / (2 * (width * KERNEL_WIDTH) ** 2 * columns));
}

/**
 * Return the fit to the first of a cloud, {values, errors, base, r2, fitted}: contributions against the background, their
 * standard errors by the spread of what the line leaves (White 1980), the weighted R2, and what the line says of each.
 */
export function fitOf(cloud, count, width = 1) {
  const { own, lone, shares } = cloud;
  const size = own.length;
  const lonely = lone.reduce((sum, weight) => sum + (Number.isNaN(weight) ? 0 : weight), 0);
  const outputs = Float64Array.from(cloud.outputs.slice(0, count), (output, i) => output - (i === 0 ? lonely : 0));
  const present = cloud.bins.slice(0, count).map((bins) => Float64Array.from(bins, (bin, j) => Number(bin === own[j])));
  const weights = cloud.absent.slice(0, count).map((absent) => kernelAt(absent, size, width));
  const total = sumOf(weights);
  const mean = new Float64Array(size);
  let level = 0;
  weights.forEach((weight, i) => {
    level += (weight * outputs[i]) / total;
    present[i].forEach((is, j) => (mean[j] += (weight * is) / total));
  });
  const centred = present.map((is) => is.map((one, j) => one - mean[j]));
  const products = outer(centred, weights);
  for (let j = 0; j < size; j += 1) products[j][j] += PENALTY;
  const inverse = inverted(products);
  const joint = new Float64Array(size);
  centred.forEach((one, i) => one.forEach((x, j) => (joint[j] += weights[i] * x * (outputs[i] - level))));
  const slopes = inverse.map((line) => dot(line, joint));
  const fitted = centred.map((one) => level + dot(one, slopes));
  const left = outputs.map((output, i) => output - fitted[i]);
  const spread = outer(centred, weights.map((weight, i) => (weight * left[i]) ** 2));
  const variances = inverse.map((line) => dot(line, spread.map((one) => dot(one, line))));
  const squares = (numbers) => numbers.reduce((sum, number, i) => sum + weights[i] * number ** 2, 0);
  const whole = squares(outputs.map((output) => output - level));
  const slope = (j) => (Number.isNaN(lone[j]) ? slopes[j] : lone[j]);
  const kept = Float64Array.from(shares, (share, j) => slope(j) * share);
  return {
    values: Float64Array.from(shares, (share, j) => slope(j) * (1 - share)),
    errors: Float64Array.from(shares, (share, j) => (Number.isNaN(lone[j]) ? Math.sqrt(Math.max(0, variances[j])) * (1 - share) : 0)),
    base: level - dot(mean, slopes) + sumOf(kept),
    r2: whole > 0 ? 1 - squares(left) / whole : 1,
    fitted,
  };
}

function changedAt(row, column, code) {
  const other = row.slice();
  other[column] = code;
  return other;
}

function dot(one, other) {
  return one.reduce((sum, x, j) => sum + x * other[j], 0);
}

/** Return the sum of weighted outer products of vectors. */
function outer(vectors, weights) {
  const size = vectors[0].length;
  const sums = Array.from({ length: size }, () => new Float64Array(size));
  vectors.forEach((vector, i) => {
    for (let j = 0; j < size; j += 1) for (let k = 0; k < size; k += 1) sums[j][k] += weights[i] * vector[j] * vector[k];
  });
  return sums;
}

/** Return the inverse of a positive definite matrix (Gauss and Jordan). */
function inverted(matrix) {
  const size = matrix.length;
  const lines = matrix.map((line, j) => Float64Array.from({ length: 2 * size }, (_, k) => (k < size ? line[k] : Number(k - size === j))));
  for (let j = 0; j < size; j += 1) {
    const pivot = lines[j][j];
    lines[j] = lines[j].map((x) => x / pivot);
    for (let i = 0; i < size; i += 1) {
      const factor = lines[i][j];
      if (i !== j && factor !== 0) lines[i] = lines[i].map((x, k) => x - factor * lines[j][k]);
    }
  }
  return lines.map((line) => line.slice(size));
}

/** Return the law of a column, {bin, draw, share}: which bin a code is in, a random code, and a bin's share of the background. */
function lawOf({ levels, special }, codes) {
  const known = codes.filter((code) => !Number.isNaN(code) && !special.includes(code)).sort((a, b) => a - b);
  const edges = known.length ? [...new Set([0.25, 0.5, 0.75].map((share) => quantile(known, share)))] : [0];
  const ofSpecial = (code) => edges.length + 2 + special.indexOf(code);
  const ofNumber = (code) => 1 + edges.filter((edge) => edge < code).length;
  const ofCode = (code) => (Number.isNaN(code) ? 0 : special.includes(code) ? ofSpecial(code) : ofNumber(code));
  const bin = levels ? (code) => (Number.isNaN(code) ? levels : code) : ofCode;
  const ends = [known[0], ...edges, known.at(-1)];
  const within = (one) => {
    if (levels) return () => (one === levels ? NaN : one);
    if (one === 0) return () => NaN;
    if (one > edges.length + 1) return () => special[one - edges.length - 2];
    const high = one === edges.length + 1 ? ends.at(-1) : ends[one];
    return cutNormal(known.filter((code) => bin(code) === one), ends[one - 1], high);
  };
  const counts = new Map();
  for (const code of codes) counts.set(bin(code), (counts.get(bin(code)) ?? 0) + 1);
  const filled = Array.from(counts, ([one, count]) => ({ count, inside: within(one) }));
  const draw = (random) => {
    let left = random() * codes.length;
    return filled.find(({ count }) => (left -= count) < 0).inside(random);
  };
  return { bin, draw, share: (one) => (counts.get(one) ?? 0) / codes.length };
}

/** Return what draws a normal number with the mean and deviation of some numbers that lies between two ends. */
function cutNormal(numbers, low, high) {
  const mean = meanOf(numbers);
  const deviation = Math.sqrt(numbers.reduce((sum, number) => sum + (number - mean) ** 2, 0) / numbers.length);
  return (random) => {
    for (let i = 0; deviation > 0 && i < MOST_TRIES; i += 1) {
      const number = mean + deviation * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      if (number > low && number <= high) return number;
    }
    return mean;
  };
}

/** Return a quantile of sorted numbers, between two of them where it falls there. */
function quantile(sorted, share) {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}
