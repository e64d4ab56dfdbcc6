"""Fragments over the workers of a Ray cluster, each of which opens the model for itself: nothing of the user's is pickled.

A model travels as the files of its checkpoint, or as the text that names it (`dlx.model.open_model`), which every machine must
be able to open; the reference rows, the schema and what is asked travel with it, once. People and results lie in folders that
every machine sees.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from dlx.bulk.explaining import LOCAL, Job
from dlx.bulk.folder import Entry
from dlx.bulk.fragments import Fragment
from dlx.checkpoint import DESCRIPTION, WEIGHTS
from dlx.checkpoint.contents import model_of, parsed, unpack
from dlx.checkpoint.folders import read_folder
from dlx.dataset import Dataset
from dlx.errors import DlxError, one_line
from dlx.explanation_cache import LIBRARIES, maker
from dlx.model import NeuralModel, open_model
from dlx.processes import GLANCE
from dlx.schema import Schema
from dlx.threads import cores

ANSWERS_WITHIN = 5  # seconds
STORE_BYTES = 100 * 2**20  # of a cluster of this machine's own: what travels is small
RETRIES = 3  # of a fragment whose worker died


@dataclass(frozen=True)
class Shipment:
    """A job as it travels: how its model can be opened, and data of dlx's own."""

    background: Dataset
    output: Path
    asked: dict[str, Any]
    origin: tuple[str, ...]
    files: dict[str, bytes]  # of a checkpoint
    schema: Schema
    name: str
    level: str | None  # of several classes the one that it speaks for
    device: str
    folder: str  # where paths begin
    maker: str  # of explanations: dlx and the libraries

    @classmethod
    def of(cls, job: Job) -> Shipment:
        """Return a job ready to travel, or raise if its model is in this process only, or another than what is on disk."""
        model = job.model
        if not model.origin:
            raise DlxError(
                f"{model.name} is in the memory of this process only, and Ray's workers must open it themselves: train it by "
                "dlx.train, or name it as file.py:object (dlx.model.open_model, --model)"
            )
        path, target = Path(model.origin[0]), model.schema.target
        files = read_folder(path, (WEIGHTS, DESCRIPTION)) if path.is_dir() else {}
        level = target.levels[model.chosen] if model.chosen is not None and len(target.levels) > 2 else None
        device = model.device.type if isinstance(model, NeuralModel) else "cpu"
        how = model.origin, files, model.schema, model.name, level, device, os.getcwd(), maker()
        made = cls(job.background, job.output, job.asked, *how)
        found, scale = made.opened().model, model.scales[0]
        answers, own = (one.predict(job.background, scale) for one in (found, model))
        if type(found) is not type(model) or not np.array_equal(answers, own):
            raise DlxError(f"{model.name} is not what {path} holds, which Ray's workers would open: save it, and load that")
        return made

    def opened(self) -> Job:
        """Return the job, its model opened."""
        if self.files:
            found = model_of(parsed(self.files[DESCRIPTION]), unpack(self.files[WEIGHTS]), self.schema)
        else:
            text, *trusted = self.origin
            found = open_model(text, self.background, trusted=trusted)
        found = found if self.level is None else found.of(self.level)
        found = found.renamed(self.name, found.provenance)
        found = found.to(self.device) if isinstance(found, NeuralModel) else found
        return Job(found, self.background, self.output, self.asked)


_OPENED: dict[str, Job] = {}  # by its token: the one that this worker is at


def explained(token: str, shipments: list[Any], fragment: Fragment) -> Entry:
    """Explain a fragment, in a worker, and return the manifest's entry of it."""
    import ray

    if token not in _OPENED:
        os.environ["DLX_CORES"] = "1"  # each core has a worker of its own
        _OPENED.clear()
        shipment: Shipment = ray.get(shipments[0])
        if shipment.maker != maker():
            raise DlxError(f"a worker of Ray's has other versions of {', '.join(LIBRARIES)}; install the same on every machine")
        with contextlib.suppress(OSError):
            os.chdir(shipment.folder)
        _OPENED[token] = shipment.opened()
    return _OPENED[token].explained(fragment)


def as_completed(
    job: Job, fragments: Sequence[Fragment], engine: str, glance: Callable[[], None]
) -> Iterator[tuple[int, Entry]]:
    """Yield the place of a fragment and its entry, as they are done; `glance` is called ten times a second."""
    shipment = Shipment.of(job)
    ray, is_ours = connected(engine)
    waiting: dict[Any, int] = {}
    try:
        asked, sent = [secrets.token_hex(8), [ray.put(shipment)]], ray.remote(explained)
        task = sent.options(num_cpus=1, num_gpus=int(shipment.device != "cpu"), max_retries=RETRIES)
        waiting |= {task.remote(*asked, fragment): place for place, fragment in enumerate(fragments)}
        while waiting:
            done, _ = ray.wait(list(waiting), timeout=GLANCE)
            for reference in done:
                place = waiting.pop(reference)
                yield place, _entry(ray, reference, fragments[place], job.output)
            glance()
    finally:
        for reference in waiting:
            ray.cancel(reference)
        if is_ours:
            ray.shutdown()


def _entry(ray: ModuleType, reference: Any, fragment: Fragment, output: Path) -> Entry:
    try:
        entry: Entry = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        rows = f"rows {fragment.start:,} to {fragment.stop:,} of {fragment.source}"
        raise DlxError(f"Ray's workers died {RETRIES + 1} times at {rows}: {one_line(error)[:300]}") from error
    if entry["rows"] and not (output / entry["file"]).is_file():
        raise DlxError(f"a worker wrote {entry['file']} to a folder {output} of its own; pass one that every machine sees")
    return entry


def connected(engine: str) -> tuple[ModuleType, bool]:
    """Return ray, connected, and whether it was connected here.

    Under `uv run`, Ray would send the folder that one is in to each worker, and start it by the same command there.
    """
    for off in ("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "RAY_USAGE_STATS_ENABLED"):  # the former is read by the import
        os.environ.setdefault(off, "0")
    try:
        import ray
    except ImportError as error:
        raise DlxError("the engine 'ray' needs Ray, which is not installed: pip install 'dlx[ray]'") from error
    if ray.is_initialized():
        return ray, False
    address = os.environ.get("RAY_ADDRESS", LOCAL) if engine == "ray" else engine
    own: dict[str, Any] = {"num_cpus": cores(), "include_dashboard": False, "object_store_memory": STORE_BYTES}
    try:
        if address not in (LOCAL, "auto"):
            host, _, port = address.removeprefix("ray://").rpartition(":")
            socket.create_connection((host, int(port)), ANSWERS_WITHIN).close()
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **(own if address == LOCAL else {}))
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        way_out = "pip install 'ray[client]'" if isinstance(error, ImportError) else "start one, or pass the engine local"
        raise DlxError(f"no Ray cluster answers at {address}: {one_line(error)[:300]}; {way_out}") from error
    return ray, True
