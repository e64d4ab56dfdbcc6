// Long work in parts, so that the page goes on answering.

const BUSY = 30; // milliseconds without a pause
const PART = 100; // rows

/** Return a function that, awaited now and then, pauses once the work took long enough. */
export function breath() {
  let began = performance.now();
  return async () => {
    if (performance.now() - began < BUSY) return;
    await new Promise((resolve) => setTimeout(resolve));
    began = performance.now();
  };
}

/** Return predictions of many rows, some at a time. */
export async function inParts(rows, predict, most = PART) {
  const found = new Float64Array(rows.length);
  const pause = breath();
  for (let first = 0; first < rows.length; first += most) {
    found.set(await predict(rows.slice(first, first + most)), first);
    await pause();
  }
  return found;
}
