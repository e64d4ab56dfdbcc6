// The same script in a worker that lasts: contributions of one row and another, each sharper and sharper, a slice of time each.

import { readModel } from "../engine/model.js";
import { shapleyValues } from "../engine/shapley.js";
import { deepLift, integratedGradients } from "../engine/gradients.js";

const GRADIENTS = { deeplift: deepLift, integrated_gradients: integratedGradients };
const APART = 150; // milliseconds between two answers to a question

export function work(scope) {
  const breath = new MessageChannel(); // lets what was asked meanwhile in
  const models = new Map();
  let written = {};
  let background = [];
  let asked = [];
  breath.port1.onmessage = () => goOn();
  scope.onmessage = ({ data }) => {
    if (data.models) [written, background] = [data.models, data.background];
    else if (data.stop) asked = asked.filter((one) => one.id !== data.stop);
    else {
      asked.push(begun(data));
      if (asked.length === 1) breath.port2.postMessage(null);
    }
  };

  function begun({ id, model, row, against, method, scale, seconds }) {
    const answers = function* () {
      if (!models.has(model)) models.set(model, readModel(written[model]));
      yield* answersTo(models.get(model), row, against ?? background, method, scale);
    };
    return { id, answers: answers(), until: performance.now() + 1000 * seconds, told: -Infinity };
  }

  function goOn() {
    const one = asked.shift();
    if (!one) return;
    try {
      const { value: found } = one.answers.next();
      const now = performance.now();
      const isLast = found.isLast || now > one.until;
      if (isLast || now - one.told > APART) {
        scope.postMessage({ id: one.id, ...found, isLast });
        one.told = now;
      }
      if (!isLast) asked.push(one);
    } catch (error) {
      scope.postMessage({ id: one.id, failed: error.message });
    }
    if (asked.length) breath.port2.postMessage(null);
  }
}

function* answersTo(model, row, background, method, scale) {
  if (method in GRADIENTS) yield { ...GRADIENTS[method](model, row, background, { scale }), isLast: true };
  else yield* shapleyValues(model, row, background, { scale, seed: 0 });
}
