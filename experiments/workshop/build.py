"""Makes the notebooks of the workshop from its lessons, runs them from scratch and keeps their outputs.

python -m uv run --locked --group workshop python experiments/workshop/build.py          all notebooks
python -m uv run --locked --group workshop python experiments/workshop/build.py 3 4      some of them
python -m uv run --locked --group workshop python experiments/workshop/build.py --small  compares numbers, writes nothing
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads that wait for each other make small models slow; kernels inherit it

from course import HERE, KEPT, KERNEL, Lesson, moved, notebook, run, sources

SECONDS = 300  # that a cell may take
COLOURS = 64  # of a picture: a third of its bytes


def main() -> int:
    """Build or compare the lessons that were asked for; status 1 where a number moved."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", type=int, help="of lessons; all by default")
    parser.add_argument("--small", action="store_true", help="run small and compare numbers with those that were kept")
    parser.add_argument("--keep", action="store_true", help="run small and keep the numbers")
    asked = parser.parse_args()
    chosen = [source for source in sources() if not asked.numbers or int(source.stem[:2]) in asked.numbers]
    work = keep if asked.keep else compare if asked.small else execute
    lines: list[str] = []
    began = time.perf_counter()
    for place, source in enumerate(chosen, 1):
        start = time.perf_counter()
        print(f"{place} of {len(chosen)}: {source.stem} ...", end=" ", flush=True)
        lines += work(source)
        print(f"{time.perf_counter() - start:.1f} s", flush=True)
    print(f"{len(chosen)} lessons in {time.perf_counter() - began:.0f} s", *lines, sep="\n")
    return 1 if lines else 0


def compare(source: Path) -> list[str]:
    """Return which numbers of a lesson moved."""
    lesson: Lesson = run(source)["lesson"]
    return moved(lesson)


def keep(source: Path) -> list[str]:
    """Run a lesson small and keep its numbers; nothing moved."""
    lesson: Lesson = run(source)["lesson"]
    KEPT.mkdir(exist_ok=True)
    (KEPT / f"{source.stem}.json").write_text(json.dumps(lesson.numbers, indent=1) + "\n", "utf-8")
    return []


def execute(source: Path) -> list[str]:
    """Write a lesson's notebook with its outputs; nothing is compared."""
    book = nbformat.from_dict(notebook(source))
    NotebookClient(book, timeout=SECONDS, record_timing=False, resources={"metadata": {"path": str(HERE)}}).execute()
    book.metadata = {"kernelspec": KERNEL}
    for data in (output.get("data", {}) for cell in book.cells for output in cell.get("outputs", [])):
        if "image/png" in data:
            data["image/png"] = smaller(data["image/png"])
    nbformat.validate(book)
    nbformat.write(book, HERE / f"{source.stem}.ipynb")
    return []


def smaller(picture: str) -> str:
    """Return a picture, PNG in base64, with fewer colours."""
    written = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB").quantize(COLOURS).save(written, "png", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


if __name__ == "__main__":
    sys.exit(main())
