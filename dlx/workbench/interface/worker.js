// The same script in a worker: contributions of one row, sharper and sharper.

import { readModel } from "../engine/model.js";
import { shapleyValues } from "../engine/shapley.js";
import { deepLift, integratedGradients } from "../engine/gradients.js";

const GRADIENTS = { deeplift: deepLift, integrated_gradients: integratedGradients };

export function work(scope) {
  scope.onmessage = ({ data }) => {
    try {
      answer(scope, readModel(data.written), data);
    } catch (error) {
      scope.postMessage({ failed: error.message });
    }
  };
}

function answer(scope, model, { row, background, method, scale, seconds }) {
  if (method in GRADIENTS) {
    scope.postMessage({ ...GRADIENTS[method](model, row, background, { scale }), isLast: true });
    return;
  }
  const started = performance.now();
  for (const found of shapleyValues(model, row, background, { scale, seed: 0 })) {
    const isLast = found.isLast || performance.now() - started > 1000 * seconds;
    scope.postMessage({ ...found, isLast });
    if (isLast) return;
  }
}
