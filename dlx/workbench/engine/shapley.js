// Shapley values of a row against a background, v(S) = mean over references of f(row in S, reference elsewhere): exact where
// that is cheap, else sampled and sharpened step by step, with standard errors. See dlx.kernels.shapley.

import { additiveShapleyValues } from "./additive.js";
import { EngineError, checkRow } from "./columns.js";
import { START_ANEW, frontChanges, gainsOfRow, mixtureGames } from "./mixtures.js";
import { checkScale } from "./model.js";
import { meanOf, sumOf } from "./products.js";
import { randomNumbers, shuffle } from "./random.js";
import { readForTrees, treeShapleyValues } from "./trees.js";

const FIRST_ANSWER = 25; // milliseconds of work
const NEXT_ANSWER = 30;
const MOST_EVALUATIONS = 500_000;
const ALWAYS_WHOLE = 6; // players, of whom all combinations are tried
const MOST_WHOLE = 12; // of whom they are where all games together take no more evaluations than
const CHEAP = 40_000;
const FEWEST_DRAWS = 24; // of which a standard error is told
const BELIEVED = 20; // draws: with 3, one of 4,000 values, of a column that played in 3 games, was six standard errors off
const STUDENT = 3; // over the degrees of freedom: what the square of Student's 95.4 % quantile, over 4, is above 1
const ROUNDING = 1e-6; // of an output: Python's nets compute in float32

/**
 * Yield {values, errors, base, prediction, evaluations, isExact, isLast}: better and better, the first after 25 ms of work,
 * if need be from some references only.
 *
 * Linear models and trees are exact on their own scale, and so is any model whose combinations are few. Of others, every
 * reference is visited in turn, and the columns join it in a random order and in the reverse of it (Mitchell et al. 2022,
 * "Sampling permutations for Shapley value estimation"). `errors` are standard errors, a column each. It goes on until `most`
 * mixed rows were evaluated, if nobody stops it before.
 */
export function* shapleyValues(model, row, background, { scale = model.scale, seed = 0, most = MOST_EVALUATIONS } = {}) {
  checkScale(model, scale);
  if (background.length === 0) throw new EngineError("Shapley values need at least one reference row");
  for (const one of [row, ...background]) checkRow(model.columns, one);
  if (scale === model.scale && (model.trees || model.kind === "additive" || model.net.isStraight[model.net.last])) {
    yield exactAnswer(model, row, background);
  } else {
    yield* sharpened(mixtureGames(model, row, background, scale), row.length, randomNumbers(seed), most);
  }
}

function exactAnswer(model, row, background) {
  const values = exactValues(model, row, background);
  const [prediction, ...outputs] = model.predict([row, ...background], model.scale);
  const answer = { values, errors: new Float64Array(row.length), base: meanOf(outputs), prediction };
  return { ...answer, evaluations: 1 + background.length, isExact: true, isLast: true };
}

function exactValues(model, row, background) {
  const { kind, trees, net, columns } = model;
  if (trees) return treeShapleyValues(trees, readForTrees(trees, row), background.map((one) => readForTrees(trees, one)));
  const values = new Float64Array(columns.length);
  const add = (some) => some.forEach((value, j) => {
    values[j] += value / background.length;
  });
  if (kind === "additive") gainsOfRow(model, row, background).forEach((gains) => add(additiveShapleyValues(gains)));
  else for (const reference of background) add(frontChanges(net, columns, row, reference, [...columns.keys()]));
  return values;
}

/** Return the variance among draws of each column: as it was seen, or as all columns vary where that is more and little was seen. */
function variancesAmong(squares, freedom) {
  const usual = sumOf(squares) / Math.max(1, sumOf(freedom));
  return squares.map((sum, j) => Math.max(sum / Math.max(1, freedom[j]), (sum + BELIEVED * usual) / (freedom[j] + BELIEVED)));
}

function* sharpened(games, width, random, most) {
  const counts = games.players.map((players) => players.length);
  const inAll = counts.reduce((total, count) => total + 2 ** count, 0);
  const largestWhole = Math.max(...counts) <= MOST_WHOLE && inAll <= CHEAP ? MOST_WHOLE : ALWAYS_WHOLE;
  const isWhole = counts.map((count) => count <= largestWhole);
  const told = new Tally(games.players.map((players, reference) => (isWhole[reference] ? [] : players)), width);
  const orders = counts.map((count) => shuffle(Int32Array.from({ length: count }, (_, place) => place), random));
  let evaluations = 1 + counts.length;
  let due = performance.now() + FIRST_ANSWER;
  const begun = [];
  for (const reference of shuffle([...counts.keys()], random)) {
    if (performance.now() >= due && begun.length >= FEWEST_DRAWS) {
      yield { ...answerOfSome(games, told, begun), evaluations };
      due = performance.now() + NEXT_ANSWER;
    }
    const found = isWhole[reference] ? ofAll(games, reference) : ofOrders(games, reference, [orders[reference]]);
    told.begin(reference, games.players[reference], found);
    evaluations += isWhole[reference] ? 2 ** counts[reference] : counts[reference] - 1;
    begun.push(reference);
  }
  const sampled = counts.map((_, reference) => reference).filter((reference) => !isWhole[reference]);
  const isDone = () => sampled.length === 0 || evaluations >= most;
  for (let turn = 0; !isDone(); turn += 1) {
    for (const reference of shuffle(sampled, random)) {
      if (performance.now() >= due && told.isKnown) {
        yield answerOf(games, told, evaluations);
        due = performance.now() + NEXT_ANSWER;
      }
      const order = turn === 0 ? orders[reference] : shuffle(orders[reference], random);
      const back = Int32Array.from(order).reverse();
      told.add(reference, ofOrders(games, reference, turn === 0 ? [back] : [order, back]), turn === 0);
      evaluations += (turn === 0 ? 1 : 2) * (counts[reference] - 1);
    }
  }
  yield { ...answerOf(games, told, evaluations), isLast: true };
}

function answerOf(games, told, evaluations) {
  const { prediction } = games;
  const base = meanOf(games.outputs);
  const isExact = told.players.every((players) => players.length === 0);
  const least = isExact ? 0 : roundingOf(prediction, base);
  const errors = told.errors().map((error) => Math.hypot(error, least));
  return { values: told.values(), errors, base, prediction, evaluations, isExact, isLast: false };
}

function roundingOf(prediction, base) {
  return ROUNDING * Math.max(1, Math.abs(prediction), Math.abs(base));
}

/**
 * Return what the references that were visited give. In how many of all a column differs is known, so that only what it adds
 * there is estimated; of a column that differs in none of them it is 0, give or take the largest that others add. What the sum
 * lacks goes by variance.
 */
function answerOfSome({ prediction, outputs, players }, { means, width }, begun) {
  const zeros = () => new Float64Array(width);
  const [inAll, seen, mean, squares, sizes] = [zeros(), zeros(), zeros(), zeros(), zeros()];
  for (const some of players) for (const j of some) inAll[j] += 1 / players.length;
  for (const reference of begun) {
    for (const j of players[reference]) {
      const value = means[reference * width + j];
      const off = value - mean[j];
      seen[j] += 1;
      mean[j] += off / seen[j];
      squares[j] += off * (value - mean[j]);
      sizes[j] += value ** 2;
    }
  }
  const among = variancesAmong(squares, seen.map((count) => Math.max(0, count - 1)));
  const largest = Math.max(...sizes.map((size, j) => size / Math.max(1, seen[j])));
  const student = 1 + STUDENT / (begun.length - 1);
  const variances = among.map((variance, j) => inAll[j] ** 2 * student * (seen[j] ? variance / seen[j] : largest));
  const values = mean.map((value, j) => inAll[j] * value);
  const base = meanOf(outputs);
  const gap = prediction - base - sumOf(values);
  const all = sumOf(variances) || 1;
  const least = roundingOf(prediction, base);
  const errors = variances.map((variance) => Math.hypot(least, Math.sqrt(variance)));
  return { values: values.map((value, j) => value + (gap * variances[j]) / all), errors, base, prediction, isExact: false, isLast: false };
}

/** Return what each of a game's players adds when it joins, the mean over some orders. */
function ofOrders(games, reference, orders) {
  const count = games.players[reference].length;
  const outputs = games.along(reference, orders.flatMap((order) => [START_ANEW, ...order.slice(0, -1)]));
  const values = new Float64Array(count);
  orders.forEach((order, turn) => {
    let before = games.outputs[reference];
    order.forEach((player, i) => {
      const after = i < count - 1 ? outputs[turn * (count - 1) + i] : games.prediction;
      values[player] += (after - before) / orders.length;
      before = after;
    });
  });
  return values;
}

/** Return the values of a game's players from all combinations of them, each a step from the one before (Gray's code). */
function ofAll(games, reference) {
  const count = games.players[reference].length;
  const walk = Int32Array.from({ length: 2 ** count - 1 }, (_, i) => 31 - Math.clz32((i + 1) & -(i + 1)));
  const worth = new Float64Array(2 ** count);
  worth[0] = games.outputs[reference];
  games.along(reference, walk).forEach((output, i) => {
    worth[(i + 1) ^ ((i + 1) >> 1)] = output;
  });
  const weight = [1 / count]; // of a combination by its size: |S|! (players - 1 - |S|)! / players!
  for (let size = 1; size < count; size += 1) weight.push((weight[size - 1] * size) / (count - size));
  const size = (members) => members.toString(2).replaceAll("0", "").length;
  const values = new Float64Array(count);
  for (let members = 0; members < worth.length; members += 1) {
    const share = members + 1 < worth.length ? weight[size(members)] : 0;
    for (let player = 0; player < count; player += 1) {
      if (!((members >> player) & 1)) values[player] += share * (worth[members | (1 << player)] - worth[members]);
    }
  }
  return values;
}

/**
 * The values of each reference's game: means of draws, a draw being an order with its reverse, and how far draws are apart.
 *
 * The variance of a draw is pooled over the references in which a column plays: of draws of one reference where there are two
 * of some, before that of different references, which is larger. A column that plays in few games is believed to vary as the
 * others do, by a weight of `BELIEVED` draws, unless it is seen to vary more. Where few games make most of a column's variance
 * it is known less well than the number of draws says (Satterthwaite 1946): standard errors are larger then, as Student's
 * quantiles are.
 */
class Tally {
  constructor(players, width) {
    this.players = players; // of the games that are sampled
    this.width = width;
    this.counts = new Int32Array(players.length);
    this.means = new Float64Array(players.length * width);
    this.squares = new Float64Array(players.length * width); // of distances from the mean
  }

  /** Keep what all combinations gave, or one order. */
  begin(reference, players, values) {
    players.forEach((j, place) => {
      this.means[reference * this.width + j] = values[place];
    });
  }

  /** Add a draw; what completes the order that a game began with is half of its first. */
  add(reference, values, isHalf) {
    this.counts[reference] += 1;
    this.players[reference].forEach((j, place) => {
      const cell = reference * this.width + j;
      const off = values[place] - this.means[cell];
      this.means[cell] += off / (isHalf ? 2 : this.counts[reference]);
      if (!isHalf) this.squares[cell] += off * (values[place] - this.means[cell]);
    });
  }

  /** The mean over the references, a column each. */
  values() {
    const values = new Float64Array(this.width);
    this.means.forEach((mean, cell) => {
      values[cell % this.width] += mean / this.counts.length;
    });
    return values;
  }

  /** Of each column: squares, their degrees of freedom, these as they count, and the sum of 1 / draws over references. */
  spread() {
    const zeros = () => new Float64Array(this.width);
    const [squares, freedom, shares, concentration, inDraws] = [zeros(), zeros(), zeros(), zeros(), zeros()];
    const isWithin = this.counts.reduce((sum, count) => sum + Math.max(0, count - 1), 0) >= FEWEST_DRAWS;
    const middle = isWithin ? null : this.middle();
    this.players.forEach((players, reference) => {
      const draws = Math.max(1, this.counts[reference]);
      for (const j of players) {
        const cell = reference * this.width + j;
        const square = isWithin ? this.squares[cell] : (this.means[cell] - middle[j]) ** 2;
        const own = isWithin ? draws - 1 : 1;
        squares[j] += square;
        freedom[j] += own;
        inDraws[j] += 1 / draws;
        if (own > 0) {
          const share = square / own / draws;
          shares[j] += share;
          concentration[j] += share ** 2 / (own + 2);
        }
      }
    });
    const counting = shares.map((share, j) => (share > 0 ? share ** 2 / concentration[j] : Infinity));
    return { squares, freedom: isWithin ? freedom : freedom.map((count) => Math.max(0, count - 1)), counting, inDraws };
  }

  /** The mean over the games in which a column plays, a column each. */
  middle() {
    const sums = new Float64Array(this.width);
    const played = new Float64Array(this.width);
    this.players.forEach((players, reference) => {
      for (const j of players) {
        sums[j] += this.means[reference * this.width + j];
        played[j] += 1;
      }
    });
    return sums.map((sum, j) => sum / played[j]);
  }

  /** Standard errors, a column each. */
  errors() {
    const { squares, freedom, counting, inDraws } = this.spread();
    const among = variancesAmong(squares, freedom);
    return among.map((variance, j) => Math.sqrt(variance * inDraws[j] * (1 + STUDENT / counting[j])) / this.counts.length);
  }

  /** Whether there are draws enough to tell how sure the values are. */
  get isKnown() {
    return this.spread().freedom.some((count) => count >= FEWEST_DRAWS);
  }
}
