"""Writes the comparison reports that TOML files describe: python experiments/compare.py experiments/bank_loan.toml."""

from __future__ import annotations

import argparse
from pathlib import Path

from configs import Config, read_config
from running import run

import dlx
from dlx.errors import DlxError


def main() -> None:
    """Write a report for every configuration and seed; prints the paths of the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configs", nargs="+", type=Path, help="files with case, models, seeds, people and background")
    parser.add_argument("--output", type=Path, default=Path(), help="folder in which each case gets its own")
    parser.add_argument("--retrain", action="store_true", help="train the models anew instead of taking checkpoints")
    arguments = parser.parse_args()
    configs = [_without_overrides(path) for path in arguments.configs]
    for config in configs:
        asked = {"models": config.models, "people": config.people, "background": config.background}
        options = {name: value for name, value in asked.items() if value}
        for seed in config.seeds:
            folder = config.case if seed == 0 else f"{config.case}-{seed}"
            page = arguments.output / folder / "report.html"
            print(dlx.report(dlx.load(config.case), path=page, seed=seed, retrain=arguments.retrain, **options))


def _without_overrides(path: Path) -> Config:
    """Return a configuration, or raise if it asks for other models than a report is of."""
    config = read_config(path)
    if config.overrides:
        raise DlxError(f"{path}: a report is of models with their default options; leave out [overrides]")
    return config


if __name__ == "__main__":
    run(main)
