"""explain(): fragment by fragment, each by whoever is free, and written before the next begins."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from dlx import explainers
from dlx.bulk import folder as folders
from dlx.bulk.fragments import Fragment, drift, fragments_of, people_of
from dlx.comparison import compare
from dlx.dataset import Dataset, refuse_bare
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.explanation_cache import name_of
from dlx.files import refuse_unwritable
from dlx.model import Model, Scale
from dlx.processes import as_completed
from dlx.progress import Narrator
from dlx.runner import explain as explain_
from dlx.runner import placed

FRAGMENT_ROWS = 65_536
BLOCK_ROWS = 4_096  # explained in one call, from fixed places of a fragment on: whoever does it, the numbers are the same
LOCAL = "local"  # the engine of this machine's cores
SAMPLE = 50  # rows of the first fragment that are explained by Shapley values, too


@dataclass(frozen=True)
class Job:
    """A bulk run: the model, the background and the options with which every fragment is explained."""

    model: Model
    background: Dataset
    output: Path
    asked: dict[str, Any] = field(default_factory=dict)  # of `dlx.explain`

    def explained(self, fragment: Fragment) -> folders.Entry:
        """Return the entry of a fragment: it is explained and written, unless it was before."""
        people, refused = people_of(fragment, self.background.schema)
        key = "none" if people is None else name_of(self.model, people, background=self.background, **self.asked)
        if refused:  # what is told of them is made again, too, where they are others
            key += f"-{zlib.crc32(json.dumps(refused).encode()):08x}"
        stem = f"source={quote(fragment.source, safe='')}/rows-{fragment.start:012d}-{key}"  # of its files
        found = folders.entry_written_before(self.output, stem)
        if found is None:
            made = None if people is None else self._values(fragment, people)
            found = folders.write(self.output, stem, fragment, made, refused)
        return found

    def _values(self, fragment: Fragment, people: Dataset) -> Explanation:
        blocks = (np.asarray(people.index) - fragment.start) // BLOCK_ROWS
        shared: dict[str, Any] = {"background": self.background, "strict": False, **self.asked}
        parts = [explain_(self.model, people[blocks == block], **shared) for block in np.unique(blocks)]
        return dataclasses.replace(Explanation.concatenate(parts), seconds=0.0)  # or no two runs would write the same

    def all_explained(
        self, fragments: Sequence[Fragment], engine: str, narrator: Narrator, glance: Callable[[], None]
    ) -> Iterator[tuple[int, folders.Entry]]:
        """Yield the place of a fragment and its entry, as they are done, by whoever is free."""
        if engine != LOCAL:
            from dlx.bulk import over_ray

            return over_ray.as_completed(self, fragments, engine, glance)
        tasks = [partial(self.explained, fragment) for fragment in fragments]
        is_forked = self.model.original is None or self.model.provenance is not None
        return as_completed(tasks, narrator, glance=glance, is_forked=is_forked)

    def agreement(self, fragment: Fragment) -> dict[str, Any]:
        """Return how far the method agrees with Shapley values about a few people, by the metrics of `dlx.compare`."""
        best = explainers.best_shapley(self.model, self.asked["scale"])
        few = dataclasses.replace(fragment, stop=min(fragment.stop, fragment.start + SAMPLE))
        people, _ = people_of(few, self.background.schema)
        if best == self.asked["method"] or people is None:
            return {}
        shared: dict[str, Any] = {"background": self.background, "strict": False}
        shared |= {name: self.asked[name] for name in ("seed", "scale")}
        both = [explain_(self.model, people, **(shared | asked)) for asked in (self.asked, {"method": best})]
        table = compare(both).agreement()
        return {"with": best, "rows": len(people)} | dict(zip(table["metric"], table["mean"], strict=True))


def is_bulk(people: str | Path) -> bool:
    """Return whether people are so many that they are explained in fragments: a folder, or a Parquet file of many rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(people)
    if not path.is_file() or path.suffix not in (".parquet", ".pq"):
        return path.is_dir()
    with contextlib.suppress(pa.ArrowException, OSError):
        return bool(pq.read_metadata(path).num_rows > FRAGMENT_ROWS)
    return False


def explain(
    model: Model,
    people: str | Path,
    *,
    method: str,
    background: Dataset,
    output: str | Path,
    scale: Scale | None = None,
    seed: int = 0,
    fragment_rows: int = FRAGMENT_ROWS,
    engine: str = LOCAL,
    device: str | None = None,
    narrator: Narrator | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Explain the rows of a Parquet file, or of a folder of them, into a folder; return its manifest.

    Rows are read, explained and written a fragment at a time, on all cores, so that memory does not grow with the table. A
    fragment that was written is not made again, as long as its rows and all that was asked are the same; a run that was
    killed loses what it was at. The files of values are the same, byte for byte, for any number of cores.

    Parameters
    ----------
    model : Model
        As of `dlx.explain`, and so are `method`, `scale` (by default the model's own), `seed` and the options.
    people : path
        A .parquet file, or a folder of them. Rows that do not fit the schema are left out and told of, with the reason, in a
        .csv beside the values; so is what of a file cannot be read, and a file that lacks a column, whole.
    background : Dataset
        The reference rows, whose schema the rows are read with.
    output : path
        Folder of the results, see `dlx.bulk.read`.
    fragment_rows : int
        Rows of a fragment. The values of another size agree but for rounding.
    engine : str
        Who explains: "local", the cores of this machine; "ray", a Ray cluster: that which this process is connected to, that of
        RAY_ADDRESS, or one of these cores; or its address, "ray://host:10001". Its workers open the model for themselves, so
        that it must have come from a checkpoint or by `dlx.model.open_model`; people and output must lie where all machines see
        them. The files of values are the same, byte for byte, on machines of one type.
    device : {"auto", "cpu", "cuda"}, optional
        As of `dlx.explain`; a net that is on a GPU here is put on one by Ray's workers, too.
    narrator : Narrator, optional
        Shows progress.

    Returns
    -------
    dict
        `settings`, `drift` (files whose columns are not as in the first), `summary` (rows, failed, refused; the mean size
        of each column's contributions), `agreement` with Shapley values of a few rows, and `fragments`.

    Raises
    ------
    DlxError
        If there are no rows, a file is none of Parquet, or the folder cannot be written to; if Ray is not installed, does not
        answer, or cannot open the model; as of `dlx.explain`.
    """
    refuse_bare(background, "background")
    if engine not in (LOCAL, "ray") and ":" not in engine:
        raise DlxError(f"engine must be local, ray, or a Ray cluster's address as ray://host:10001, got {engine!r}")
    if fragment_rows < 1:
        raise DlxError(f"fragment_rows must be at least 1, got {fragment_rows}")
    narrator, output, started = narrator or Narrator(quiet=True), Path(output).absolute(), time.perf_counter()
    refuse_unwritable(output, "pass another folder")
    fragments = fragments_of(Path(people).absolute(), fragment_rows)
    if device is not None:
        model = placed(model, device, method, sum(map(len, fragments)), len(background))
    job = Job(model, background, output, {"method": method, "scale": scale or model.scales[0], "seed": seed, **options})
    changed = drift(fragments, background.schema)
    for line in changed:
        narrator.say(line)
    agreement = job.agreement(fragments[0])
    entries: dict[int, folders.Entry] = {}
    with narrator.step(f"Explaining {model.name} by {explainers.method(method).LABEL}", "rows", is_still=True) as update:

        def glance() -> None:
            update(sum(len(fragments[i]) for i in entries), sum(map(len, fragments)))

        for place, entry in job.all_explained(fragments, engine, narrator, glance):
            entries[place] = entry
            glance()
    settings = {"model": model.name, "background": len(background), "fragment_rows": fragment_rows, **job.asked}
    about = {"settings": settings, "drift": changed, "agreement": agreement}
    manifest = folders.write_manifest(output, [entries[i] for i in range(len(fragments))], model.schema.names, about)
    told, spent = manifest["summary"], time.perf_counter() - started
    left_out = f"{told['refused']:,} refused, {told['failed']:,} failed"
    left_out += f", see the .csv files in {output}" * bool(told["refused"] or told["failed"])
    narrator.say(f"{told['rows']:,} rows explained, {told['rows'] / spent:,.0f} a second; {left_out}")
    return manifest
