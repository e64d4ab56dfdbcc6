"""Trains the models of a TOML file and writes their checkpoints: python experiments/train.py experiments/bank_loan.toml."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from configs import Config, read_config
from running import run

from dlx import cases, checkpoint
from dlx.files import refuse_unwritable
from dlx.model.devices import DEVICES
from dlx.progress import Narrator


def main() -> None:
    """Train what the file lists; a checkpoint that is there already is kept, unless --retrain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configs", nargs="+", type=Path, help="files with case, models, seeds and [overrides.<model>]")
    parser.add_argument("--output", type=Path, default=checkpoint.ROOT, help="folder of all checkpoints")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--retrain", action="store_true", help="train anew what is there already")
    arguments = parser.parse_args()
    refuse_unwritable(arguments.output, "pass another --output")
    narrator = Narrator()
    configs = [read_config(path) for path in arguments.configs]
    for config in configs:
        train_all(config, arguments.output, arguments.device, arguments.retrain, narrator)


def train_all(config: Config, checkpoints: Path, device: str, retrain: bool, narrator: Narrator) -> None:
    """Train every model of a configuration with every seed, and print the paths."""
    dataset = cases.load(config.case)
    for architecture in config.architectures:
        options = config.overrides.get(architecture, {})
        for seed in config.seeds:
            asked: dict[str, Any] = {"seed": seed, "checkpoints": checkpoints, "config": options}
            checkpoint.train(dataset, architecture, device=device, retrain=retrain, narrator=narrator, **asked)
            print(checkpoint.folder(dataset.name, architecture, **asked))


if __name__ == "__main__":
    run(main)
