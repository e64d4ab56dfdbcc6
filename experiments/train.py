"""Trains the models of a TOML file and writes their checkpoints: python experiments/train.py experiments/bank_loan.toml."""

from __future__ import annotations

import argparse
from pathlib import Path

from configs import Config, read_config

from dlx import checkpoint, datasets, training
from dlx.errors import DlxError
from dlx.progress import Narrator


def main() -> None:
    """Train what the file lists; a checkpoint that is there already is kept, unless --retrain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configs", nargs="+", type=Path, help="files with case, models, seeds and [overrides.<model>]")
    parser.add_argument("--output", type=Path, default=checkpoint.ROOT, help="folder of all checkpoints")
    parser.add_argument("--device", choices=training.DEVICES, default="auto")
    parser.add_argument("--retrain", action="store_true", help="train anew what is there already")
    arguments = parser.parse_args()
    narrator = Narrator()
    try:
        configs = [read_config(path) for path in arguments.configs]
    except DlxError as error:
        parser.error(str(error))
    for config in configs:
        train_all(config, arguments.output, arguments.device, arguments.retrain, narrator)


def train_all(config: Config, root: Path, device: str, retrain: bool, narrator: Narrator) -> None:
    """Train every model of a configuration with every seed, and print the paths."""
    dataset = datasets.load(config.case)
    for architecture in config.architectures:
        options = config.overrides.get(architecture, {})
        for seed in config.seeds:
            path = checkpoint.folder(dataset.name, architecture, seed=seed, root=root, config=options)
            if not retrain and checkpoint.is_current(path, dataset):
                narrator.say(f"{path} is there already; --retrain trains it anew")
            else:
                with narrator.step(f"training {dataset.name} {path.name}", "epochs") as progress:
                    trained = training.train(dataset, architecture, seed=seed, device=device, config=options, progress=progress)
                checkpoint.save(trained, root)
            print(path)


if __name__ == "__main__":
    main()
