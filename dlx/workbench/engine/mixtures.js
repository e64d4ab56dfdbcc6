// What a model answers for mixtures of a row with a reference: some columns the row's, the others the reference's. See
// dlx.kernels.shapley.games.

import { additiveGains, additiveParts } from "./additive.js";
import { sameCode } from "./columns.js";
import { checkScale, onScale } from "./model.js";
import { addFrontOfCode, frontOfRows, outputsOfFronts, rowOf } from "./net.js";
import { addRow } from "./products.js";
import { readForTrees, sumOfLeaves } from "./trees.js";

export const START_ANEW = -1; // in a walk: back to the reference as it is

/**
 * Return the games of a row against each reference: {prediction, outputs, players, along}.
 *
 * `outputs` [references] are those of the references, `players[reference]` the columns in which the row differs from it.
 * `along(reference, walk)` gives the output after each step of a walk from the reference; a step takes one of the players, by
 * its place among them, from either side to the other, and `START_ANEW`, which has no output, gives all of them back.
 */
export function mixtureGames(model, row, background, scale) {
  checkScale(model, scale);
  const players = background.map((reference) => differing(row, reference));
  const made = model.trees ? treesAlong : model.kind === "additive" ? additiveAlong : netAlong;
  const own = made(model, row, background, players);
  return {
    prediction: model.predict([row], scale)[0],
    outputs: model.predict(background, scale),
    players,
    along: (reference, walk) => own(reference, walk).map((output) => onScale(model, output, scale)),
  };
}

/** Return the columns in which a row and a reference differ. */
export function differing(row, reference) {
  return [...row.keys()].filter((j) => !sameCode(row[j], reference[j]));
}

/** Return the front's change when each player goes from the reference to the row, [players, frontWidth]. */
export function frontChanges(net, columns, row, reference, players) {
  const changes = new Float64Array(players.length * net.frontWidth);
  players.forEach((j, place) => {
    addFrontOfCode(net, columns[j], row[j], 1, changes, place * net.frontWidth);
    addFrontOfCode(net, columns[j], reference[j], -1, changes, place * net.frontWidth);
  });
  return changes;
}

function netAlong({ net, columns }, row, background, players) {
  const width = net.frontWidth;
  const starts = frontOfRows(net, columns, background);
  return (reference, walk) => {
    const start = starts.subarray(reference * width, (reference + 1) * width);
    const changes = frontChanges(net, columns, row, background[reference], players[reference]);
    const here = Float64Array.from(start);
    const sign = new Int8Array(players[reference].length).fill(1);
    const fronts = new Float64Array(walk.length * width);
    let count = 0;
    for (const step of walk) {
      if (step === START_ANEW) {
        here.set(start);
        sign.fill(1);
      } else {
        addRow(sign[step], changes, step * width, here, 0, width);
        sign[step] = -sign[step];
        fronts.set(here, count * width);
        count += 1;
      }
    }
    return outputsOfFronts(net, fronts, count);
  };
}

/** Return what the columns of a row add to each reference's output, alone and in pairs: of an additive net, on its own scale. */
export function gainsOfRow({ net, columns }, row, background) {
  const fronts = frontOfRows(net, columns, [row, ...background]);
  const place = net.steps.findIndex(({ op }) => op === "additive");
  const slope = net.steps.slice(place + 1).reduce((slopes, line) => slopes * line.weight[0], 1);
  const [own, ...theirs] = [row, ...background].map((_, i) => additiveParts(net.steps[place], rowOf(fronts, i, net.frontWidth)));
  return theirs.map((one) => additiveGains(net.steps[place], own, one, columns.length, slope));
}

function additiveAlong(model, row, background, players) {
  const gains = gainsOfRow(model, row, background);
  const starts = model.predict(background, model.scale);
  return (reference, walk) => {
    const { alone, pairs } = gains[reference];
    const isTheirs = new Uint8Array(row.length);
    const outputs = [];
    let output = starts[reference];
    const inPairs = () => pairs.reduce((sum, { first, second, gains: of }) => sum + of[isTheirs[first] + 2 * isTheirs[second]], 0);
    for (const step of walk) {
      if (step === START_ANEW) {
        output = starts[reference];
        isTheirs.fill(0);
      } else {
        const column = players[reference][step];
        isTheirs[column] = 1 - isTheirs[column];
        output += isTheirs[column] ? alone[column] : -alone[column];
        outputs.push(output + inPairs());
      }
    }
    return Float64Array.from(outputs);
  };
}

function treesAlong({ trees }, row, background, players) {
  const theirs = readForTrees(trees, row);
  const ours = background.map((reference) => readForTrees(trees, reference));
  return (reference, walk) => {
    const mixed = Float64Array.from(ours[reference]);
    const isTheirs = new Uint8Array(mixed.length);
    const outputs = [];
    for (const step of walk) {
      if (step === START_ANEW) {
        mixed.set(ours[reference]);
        isTheirs.fill(0);
      } else {
        const column = players[reference][step];
        isTheirs[column] = 1 - isTheirs[column];
        mixed[column] = (isTheirs[column] ? theirs : ours[reference])[column];
        outputs.push(sumOfLeaves(trees, mixed));
      }
    }
    return Float64Array.from(outputs);
  };
}
