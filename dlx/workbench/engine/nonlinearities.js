// Elementwise nonlinearities, and their mean derivative between two values. See dlx.kernels.gradients.nonlinearities.

const CLOSE_VALUES = 1e-6; // there the slope in the middle is closer to the mean slope than a quotient is

/** Return the nonlinearity of a step as a function of a number. */
export function nonlinearity({ op, slope = 0, alpha = 1, beta = 1, threshold = 20 }) {
  switch (op) {
    case "relu":
    case "leaky_relu":
      return (x) => (x > 0 ? x : x * slope);
    case "elu":
      return (x) => (x > 0 ? x : alpha * Math.expm1(x));
    case "sigmoid":
      return sigmoid;
    case "tanh":
      return Math.tanh;
    default:
      return (x) => (x * beta > threshold ? x : Math.log1p(Math.exp(x * beta)) / beta);
  }
}

/** Return the logistic function of a log-odds: a probability. */
export function sigmoid(x) {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

/** Whether a step is linear on either side of 0: then gradients along a path have finitely many values. */
export function hasOneKink({ op }) {
  return op === "relu" || op === "leaky_relu";
}

/** Return the mean derivative of a step on the way from one value to another; where they meet, the derivative. */
export function meanSlope(step, start, end) {
  if (step.op === "relu" || step.op === "leaky_relu") {
    const below = step.slope ?? 0;
    if (start > 0 && end > 0) return 1;
    if (start <= 0 && end <= 0) return below;
    const above = Math.max(start, end) / Math.abs(end - start); // the share of the way that is above 0
    return above * (1 - below) + below;
  }
  const curve = nonlinearity(step);
  const change = end - start;
  if (Math.abs(change) >= CLOSE_VALUES) return (curve(end) - curve(start)) / change;
  const middle = (start + end) / 2;
  return (curve(middle + CLOSE_VALUES) - curve(middle - CLOSE_VALUES)) / (2 * CLOSE_VALUES);
}
