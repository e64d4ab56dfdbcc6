// What a model answers for mixtures of a row with a reference: some columns the row's, the others the reference's. See
// dlx.kernels.shapley.games.

import { sameCode } from "./columns.js";
import { checkScale, onScale } from "./model.js";
import { addFrontOfCode, frontOfRows, outputsOfFronts } from "./net.js";
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
  const own = model.net ? netAlong(model, row, background, players) : treesAlong(model, row, background, players);
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
