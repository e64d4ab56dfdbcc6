// What the tests ask of the engine: a question as JSON in, answers as JSON out.

import { readFileSync } from "node:fs";
import { readModel } from "./model.js";

const QUESTIONS = { predictions };

const asked = JSON.parse(readFileSync(0, "utf8"));
const known = (row) => Float64Array.from(row, (code) => (code === null ? NaN : code));
process.stdout.write(JSON.stringify(QUESTIONS[asked.what](readModel(asked.model), asked)));

function predictions(model, { rows, scale }) {
  try {
    return Array.from(model.predict(rows.map(known), scale));
  } catch (error) {
    return `${error.message}`;
  }
}
