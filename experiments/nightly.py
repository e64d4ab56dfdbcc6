"""Runs what CI has no time for: every property test with hundreds of random examples, and both generators of the doors.

python experiments/nightly.py writes nightly.md to --output, beside the figures of the generators: examples and failures of
each property, and how the generators ended. --seed is the day by default, so that each night tries something else.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import subprocess
import sys
from pathlib import Path

from doors.told import made_with
from running import run

from dlx.files import refuse_unwritable, write_atomically

PROPERTY = re.compile(r"^(tests/\S+):\n(.*?)(?=^tests/|\Z)", flags=re.MULTILINE | re.DOTALL)
EXAMPLES = re.compile(r"generate phase.*?(\d+) passing(?: examples)?, (\d+) failing", flags=re.DOTALL)
GENERATORS = ("doors_tables.py", "doors_models.py")


def main() -> int:
    """Run everything, write it down, and return 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    today = datetime.datetime.now(tz=datetime.UTC).date()
    parser.add_argument("--seed", type=int, default=today.toordinal(), help="another seed tries something else")
    parser.add_argument("--examples", type=int, default=300, help="how many a property")
    parser.add_argument("--output", type=Path, default=Path("experiments/doors"), help="folder to write to")
    asked = parser.parse_args()
    refuse_unwritable(asked.output, "pass another --output")
    lines, failed = properties(asked.seed, asked.examples)
    for name in GENERATORS:
        command = [
            sys.executable,
            str(Path(__file__).with_name(name)),
            "--seed",
            str(asked.seed),
            "--output",
            str(asked.output),
        ]
        ended = subprocess.run(command, check=False)
        lines.append(
            f"| `{name}` | {asked.seed} | {'as it should be' if ended.returncode == 0 else '**not as it should be**'} |"
        )
        failed |= ended.returncode != 0
    head = f"# The night of {today}\n\nSeed {asked.seed}, {made_with()}.\n\n| property | examples | failing |\n|---|---|---|\n"
    path = write_atomically(asked.output / "nightly.md", head + "\n".join(lines) + "\n")
    print(path)
    return int(failed)


def properties(seed: int, examples: int) -> tuple[list[str], bool]:
    """Return a line a property, with its examples and failures, and whether any failed."""
    how = ["-m", "hypothesis", "--hypothesis-profile=nightly", f"--hypothesis-seed={seed}", "--hypothesis-show-statistics"]
    wanted = os.environ | {"HYPOTHESIS_EXAMPLES": str(examples)}
    command = [sys.executable, "-m", "pytest", *how]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=wanted)
    print(ended.stdout[-4000:], ended.stderr[-2000:])
    lines = []
    for test, said in PROPERTY.findall(ended.stdout):
        counts = [tuple(map(int, found)) for found in EXAMPLES.findall(said)]
        passing, failing = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
        lines.append(f"| `{test}` | {passing + failing:,} | {failing} |")
    return [*lines, "", "| generator | figures |", "|---|---|"], ended.returncode != 0


if __name__ == "__main__":
    run(main)
