// Answers from the server that sent the page: every method of every model, black boxes included.

function posted(path, said, signal) {
  return fetch(path + location.search, { method: "POST", body: JSON.stringify(said), headers: { "content-type": "application/json" }, signal });
}

const asNumbers = (row) => Array.from(row, (code) => (Number.isNaN(code) ? null : code));

export function answersThere(book) {
  const methods = (name) => book.models.find((one) => one.name === name).methods;

  async function risks(rows) {
    const answer = await posted("risks", { rows: rows.map(asNumbers) });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.error);
    return said.risks.map((one) => book.models.map(({ name, colour }, k) => ({ name, colour, answer: one[k] })));
  }

  /** Ask; each line of the answer says how far it is, or what was found. Leaving stops the work on the server, too. */
  function explain(question, update) {
    const leaving = new AbortController();
    const read = async () => {
      const answer = await posted("explain", { ...question, row: asNumbers(question.row), against: question.against?.map(asNumbers) ?? null }, leaving.signal);
      if (!answer.ok) return update({ failed: (await answer.json()).error });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        text += part.value;
        const lines = text.split("\n");
        text = lines.pop();
        lines.filter(Boolean).forEach((line) => update(JSON.parse(line)));
      }
    };
    read().catch((error) => {
      if (error.name !== "AbortError") update({ failed: `the server does not answer: ${error.message}` });
    });
    return () => leaving.abort();
  }

  return { methods, risks, explain };
}
