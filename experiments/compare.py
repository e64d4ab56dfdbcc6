"""Writes the comparison reports that TOML files describe: python experiments/compare.py experiments/bank_loan.toml."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

import dlx


def main() -> None:
    """Write a report for every configuration and seed; prints the paths of the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configs", nargs="+", type=Path, help="files with case, models, seeds, people and background")
    parser.add_argument("--output", type=Path, default=Path(), help="folder in which each case gets its own")
    parser.add_argument("--retrain", action="store_true", help="train the models anew instead of taking checkpoints")
    arguments = parser.parse_args()
    for path in arguments.configs:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
        options = {name: config[name] for name in ("models", "people", "background") if name in config}
        for seed in config.get("seeds", [0]):
            folder = config["case"] if seed == 0 else f"{config['case']}-{seed}"
            page = arguments.output / folder / "report.html"
            print(dlx.report(dlx.load(config["case"]), path=page, seed=seed, retrain=arguments.retrain, **options))


if __name__ == "__main__":
    main()
