"""Nets as their libraries make them: `python experiments/compatibility_nets.py` writes compatibility_nets.md.

skorch, Lightning, rtdl, tabm, TabNet and pytorch-tabular: each net is trained on a table of numbers and categories with gaps,
wrapped with what its forward is given, and explained; columns are those of compatibility.md. The libraries are not among
what dlx is tested with: `--environment FOLDER` makes a virtual environment there that has the packages of this one and, beside
them and without what they ask for themselves, `LIBRARIES`, and runs the script in it.
"""

from __future__ import annotations

import argparse
import importlib
import site
import subprocess
import venv
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import lightning
import numpy as np
import pandas as pd
import torch
from compatibility import BACKGROUND, HEADERS, PEOPLE, ROWS, distances, grid, methods_of, people
from doors.told import made_with
from running import run
from sklearn import impute, pipeline, preprocessing
from torch import nn
from torch.nn import functional

import dlx
from dlx.files import write_atomically
from dlx.threads import one_thread

LIBRARIES = {  # and what they cannot be imported without
    "skorch": "1.4.0",
    "rtdl_revisiting_models": "0.0.2",
    "rtdl_num_embeddings": "0.0.12",
    "tabm": "0.0.3",
    "pytorch_tabnet": "4.1.0",
    "pytorch_tabular": "1.2.0",
    **{"einops": "0.8.2", "omegaconf": "2.4.0", "scikit-base": "1.2.0", "tabulate": "0.10.0", "torchmetrics": "1.8.2"},
    "antlr4-python3-runtime": "4.13.2",
}
NUMBERS, WORDS, SIZES = ["income", "age", "children"], ["job", "grade"], [4, 3]
EPOCHS = 30


class Trained(NamedTuple):
    """A trained net: itself, what its forward is given, and its library's own probabilities of a table."""

    net: nn.Module
    inputs: Any
    own: Callable[[pd.DataFrame], np.ndarray]


class Data(NamedTuple):
    """The table, and what is fitted to it."""

    table: pd.DataFrame
    outcome: np.ndarray
    numbers: pipeline.Pipeline  # gaps filled and scaled
    words: preprocessing.OrdinalEncoder  # one more code where they are missing

    def tensors(self, table: pd.DataFrame) -> tuple[torch.Tensor, torch.Tensor]:
        """Return numbers and codes of a table."""
        numbers, words = self.numbers.transform(table[NUMBERS]), self.words.transform(table[WORDS])
        return torch.tensor(numbers, dtype=torch.float32), torch.tensor(words, dtype=torch.long)


class Plain(nn.Module):
    """Embeddings beside numbers, into a small net."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(size, 3) for size in SIZES)
        self.body = nn.Sequential(nn.Linear(9, 16), nn.ReLU(), nn.Linear(16, outputs))

    def forward(self, num: torch.Tensor, cat: torch.Tensor) -> torch.Tensor:
        """Return logits, [rows, outputs]."""
        return self.body(torch.cat([num, *(embed(cat[:, i]) for i, embed in enumerate(self.embeddings))], dim=1))


class Lit(lightning.LightningModule):
    """The same, as Lightning has it."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Plain()

    def forward(self, num: torch.Tensor, cat: torch.Tensor) -> torch.Tensor:
        """Return logits, [rows, 1]."""
        return self.net(num, cat)

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        """Return the loss of a batch."""
        return functional.binary_cross_entropy_with_logits(self(*batch[:2])[:, 0], batch[2])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.parameters(), 0.01)


def fitted(net: nn.Module, data: Data, loss: Callable[[torch.Tensor], torch.Tensor]) -> nn.Module:
    """Return a net trained on all rows at once."""
    optimizer, (numbers, words) = torch.optim.AdamW(net.parameters(), 0.01), data.tensors(data.table)
    for _ in range(EPOCHS):
        optimizer.zero_grad()
        loss(net(numbers, words)).backward()
        optimizer.step()
    return net.eval()


def probability(net: nn.Module, data: Data) -> Callable[[pd.DataFrame], np.ndarray]:
    """Return the sigmoid of a net of one output as a function of a table."""
    return lambda table: torch.sigmoid(net(*data.tensors(table))[:, 0]).detach().double().numpy()


def with_torch(data: Data) -> Trained:
    outcome = torch.tensor(data.outcome, dtype=torch.float32)
    net = fitted(Plain(), data, lambda z: functional.binary_cross_entropy_with_logits(z[:, 0], outcome))
    return Trained(net, (data.numbers, data.words), probability(net, data))


def with_lightning(data: Data) -> Trained:
    rows = torch.utils.data.TensorDataset(*data.tensors(data.table), torch.tensor(data.outcome, dtype=torch.float32))
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    net = Lit()
    lightning.Trainer(max_epochs=EPOCHS, accelerator="cpu", **quiet).fit(net, torch.utils.data.DataLoader(rows, 64))
    return Trained(net.eval(), (data.numbers, data.words), probability(net, data))


def with_skorch(data: Data) -> Trained:
    def inputs(table: pd.DataFrame) -> dict[str, np.ndarray]:
        return dict(zip(("num", "cat"), (part.numpy() for part in data.tensors(table)), strict=True))

    made = importlib.import_module("skorch").NeuralNetClassifier(
        Plain, module__outputs=2, criterion=nn.CrossEntropyLoss, max_epochs=EPOCHS, lr=0.1, verbose=0, train_split=None
    )
    made.fit(inputs(data.table), data.outcome)
    return Trained(made.module_, inputs, lambda table: made.predict_proba(inputs(table))[:, 1].astype(float))


def with_rtdl(data: Data) -> Trained:
    made = importlib.import_module("rtdl_revisiting_models")
    options = made.FTTransformer.get_default_kwargs(1) | {"d_block": 16, "attention_n_heads": 2}
    options.pop("_is_default", None)
    net = made.FTTransformer(n_cont_features=len(NUMBERS), cat_cardinalities=SIZES, d_out=1, **options)
    outcome = torch.tensor(data.outcome, dtype=torch.float32)
    fitted(net, data, lambda z: functional.binary_cross_entropy_with_logits(z[:, 0], outcome))
    return Trained(net, (data.numbers, data.words), probability(net, data))


def with_tabm(data: Data) -> Trained:
    made, embeddings = importlib.import_module("tabm"), importlib.import_module("rtdl_num_embeddings")
    bins = embeddings.compute_bins(data.tensors(data.table)[0], n_bins=8)
    pieces = embeddings.PiecewiseLinearEmbeddings(bins, d_embedding=4, activation=False, version="B")
    sizes = {"n_num_features": len(NUMBERS), "cat_cardinalities": SIZES, "d_out": 2, "k": 4, "n_blocks": 2, "d_block": 16}
    net, outcome = made.TabM.make(num_embeddings=pieces, **sizes), torch.tensor(data.outcome).repeat_interleave(4)
    fitted(net, data, lambda z: functional.cross_entropy(z.flatten(0, 1), outcome))

    net.register_forward_hook(lambda _, __, logits: logits.softmax(-1).mean(1))  # the mean of its members' probabilities

    def own(table: pd.DataFrame) -> np.ndarray:
        return net.forward(*data.tensors(table)).softmax(-1).mean(1)[:, 1].detach().double().numpy()

    return Trained(net, (data.numbers, data.words), own)


def with_tabnet(data: Data) -> Trained:
    def inputs(table: pd.DataFrame) -> np.ndarray:
        return np.column_stack([data.numbers.transform(table[NUMBERS]), data.words.transform(table[WORDS])])

    sizes = {"cat_idxs": [3, 4], "cat_dims": SIZES, "cat_emb_dim": 2, "n_d": 4, "n_a": 4, "n_steps": 2}
    made = importlib.import_module("pytorch_tabnet.tab_model").TabNetClassifier(**sizes, verbose=0, device_name="cpu")
    made.fit(inputs(data.table), data.outcome, max_epochs=EPOCHS, batch_size=64, virtual_batch_size=64)
    return Trained(made.network, inputs, lambda table: made.predict_proba(inputs(table))[:, 1].astype(float))


def with_pytorch_tabular(config: str, **options: Any) -> Callable[[Data], Trained]:
    def train(data: Data) -> Trained:
        tabular, configs = importlib.import_module("pytorch_tabular"), importlib.import_module("pytorch_tabular.config")
        kind = getattr(importlib.import_module("pytorch_tabular.models"), config)
        quiet = {"progress_bar": "none", "checkpoints": None, "load_best": False, "early_stopping": None}
        made = tabular.TabularModel(
            data_config=configs.DataConfig(target=["y"], continuous_cols=NUMBERS, categorical_cols=WORDS),
            model_config=kind(task="classification", **options),
            optimizer_config=configs.OptimizerConfig(),
            trainer_config=configs.TrainerConfig(max_epochs=EPOCHS, batch_size=64, accelerator="cpu", **quiet),
            verbose=False,
            suppress_lightning_logger=True,
        )

        def plain(table: pd.DataFrame) -> pd.DataFrame:  # it takes no gaps, and no whole numbers of pandas 3
            return table.astype({"children": float} | dict.fromkeys(WORDS, str)).fillna({"income": 0.0})

        made.fit(train=plain(data.table).assign(y=data.outcome))
        rows = made.datamodule

        def inputs(table: pd.DataFrame) -> dict[str, torch.Tensor]:
            codes = rows.categorical_encoder.transform(plain(table)[WORDS])[WORDS].to_numpy()
            numbers = rows.scaler.transform(plain(table)[NUMBERS])
            return {"continuous": torch.tensor(numbers).float(), "categorical": torch.tensor(codes).long()}

        return Trained(made.model, inputs, lambda table: made.predict(plain(table))["y_1_probability"].to_numpy(dtype=float))

    return train


HEADS = {"num_heads": 2, "num_attn_blocks": 1, "input_embed_dim": 8}
BROUGHT: dict[str, tuple[str, int, Callable[[Data], Trained]]] = {  # by name: its library, lines of the adapter
    "torch: embeddings beside numbers": ("torch", 1, with_torch),
    "Lightning: the same": ("lightning", 1, with_lightning),
    "skorch: the same, two outputs": ("skorch", 3, with_skorch),
    "rtdl: FT-Transformer": ("rtdl_revisiting_models", 1, with_rtdl),
    "tabm: piecewise linear embeddings, one-hot": ("tabm", 2, with_tabm),
    "pytorch_tabnet: TabNet": ("pytorch_tabnet", 3, with_tabnet),
    "pytorch-tabular: CategoryEmbedding": (
        "pytorch_tabular",
        4,
        with_pytorch_tabular("CategoryEmbeddingModelConfig", layers="16-8"),
    ),
    "pytorch-tabular: FT-Transformer": ("pytorch_tabular", 4, with_pytorch_tabular("FTTransformerConfig", **HEADS)),
    "pytorch-tabular: TabTransformer": ("pytorch_tabular", 4, with_pytorch_tabular("TabTransformerConfig", **HEADS)),
    "pytorch-tabular: GANDALF": ("pytorch_tabular", 4, with_pytorch_tabular("GANDALFConfig")),
    "pytorch-tabular: AutoInt": ("pytorch_tabular", 4, with_pytorch_tabular("AutoIntConfig")),
}


def lines_of(only: str) -> Iterator[dict[str, str]]:
    """Yield what came of each net, as a line of the table."""
    table, outcome, case = people("words of classes")
    filled = pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler()).fit(table[NUMBERS])
    coder = preprocessing.OrdinalEncoder(encoded_missing_value=SIZES[0] - 1).fit(table[WORDS])
    data = Data(table, outcome.to_numpy(), filled, coder)
    for name, (library, lines, train) in BROUGHT.items():
        if only not in name:
            continue
        if importlib.util.find_spec(library) is None:
            yield {"model": name, "route": f"not tried: {library} is not installed; see --environment"}
            continue
        torch.manual_seed(0)
        made = train(data)
        model = dlx.wrap(made.net, case, inputs=made.inputs)
        told = {"model": name, "lines": str(lines), "route": model.route, "gradients": f"{apart(model, case):.0%}"}
        yield told | methods_of(model, case) | distances(model, case, table, made.own, "probability")


def apart(model: dlx.Model, case: dlx.Dataset) -> float:
    """Return how far integrated gradients are from Shapley values, in the mean, as a share of the mean Shapley value."""
    asked = {"background": case[10 : 10 + BACKGROUND], "scale": model.scales[0]}
    exact, found = (
        dlx.explain(model, case[:PEOPLE], method=method, **asked).values for method in ("exact_shapley", "integrated_gradients")
    )
    return float(np.abs(found - exact).mean() / np.abs(exact).mean())


def environment(folder: Path) -> Path:
    """Return the interpreter of a new virtual environment that has the packages of this one, and `LIBRARIES`."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    asked = [f"{name}=={number}" for name, number in LIBRARIES.items()]
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *asked], check=True)
    home = subprocess.run(
        [python, "-c", "import site; print(site.getsitepackages()[0])"], check=True, capture_output=True, text=True
    )
    (Path(home.stdout.strip()) / "beside.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return python


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="nets whose name holds this")
    parser.add_argument("--environment", type=Path, help="where to make an environment with the libraries, and run in it")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".md"))
    asked, lines = parser.parse_args(), []
    if asked.environment:
        again = [Path(__file__).resolve(), "--only", asked.only, "--output", asked.output.resolve()]
        subprocess.run([environment(asked.environment.resolve()), *again], check=True)
        return
    output = asked.output.resolve()
    with warnings.catch_warnings(), one_thread(), TemporaryDirectory() as folder, chdir(folder):  # libraries leave files
        warnings.simplefilter("ignore")
        for line in lines_of(asked.only):
            lines.append(line)
            print(f"{line['model']}: {line['route']}", flush=True)
    headers = {name: said for name, said in HEADERS.items() if name != "family"}
    headers["gradients"] = "Integrated gradients from Shapley values"
    versions = [f"{name} {version(name)}" for name in ("torch", "lightning", *LIBRARIES) if importlib.util.find_spec(name)]
    parts = [
        "# Nets as their libraries make them",
        f"`python experiments/compatibility_nets.py --environment FOLDER`, {made_with()}, {', '.join(versions)}. {ROWS} rows "
        f"with gaps in numbers and categories; {PEOPLE} people against {BACKGROUND} others. The lines are "
        "those of the adapter, `dlx.wrap` included.",
        grid(pd.DataFrame(lines, columns=list(headers)).fillna(""), headers),
    ]
    write_atomically(output, "\n\n".join(parts) + "\n")


if __name__ == "__main__":
    run(main)
