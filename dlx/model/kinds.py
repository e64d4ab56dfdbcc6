"""The kinds of model, by what can be asked of them: gradients, trees, coefficients, or nothing but predictions."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import numpy as np

from dlx.errors import DlxError
from dlx.model import devices
from dlx.model.base import CLASSIFIER, Model, Scale, as_probabilities, as_rows, table_of
from dlx.model.estimators import Reading
from dlx.schema import Feature, Schema
from dlx.threads import in_chunks
from dlx.trees.grouping import grouped

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from dlx.encoder import Encoder
    from dlx.model.net_inputs import NetEncoder
    from dlx.model.pipelines import PipelineEncoder
    from dlx.trees import Trees

_LIKE_A_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?|True|False")
CHUNK_ROWS = 4_096  # so that a layer's activations stay in the cache


@dataclass(frozen=True, eq=False, repr=False)
class NeuralModel(Model):
    """A torch network on encoded rows.

    Parameters
    ----------
    network : torch.nn.Module
        Dense rows [rows, width] to one number a row, [rows] or [rows, 1]; kept in evaluation mode.
    scales : tuple of str
        The network's own scale first: ``("logit", "probability")``, the other way round, or ``("value",)``.
    """

    network: torch.nn.Module
    encoder: Encoder | NetEncoder  # original columns to dense rows
    name: str = "net"
    scales: tuple[Scale, ...] = CLASSIFIER

    def __post_init__(self) -> None:
        self.network.eval()

    @property
    def original(self) -> Callable[[Any], np.ndarray] | None:
        """The user's network as it is called with a table, where that was wrapped with its inputs or one of its outputs."""
        return None if self.behind is None else self.behind.function

    @property
    def schema(self) -> Schema:
        """The columns that it reads."""
        return self.encoder.schema

    def of(self, level: str) -> Model:
        """Return the network as that of another class, where it has an output for each."""
        from dlx.model.heads import AgainstOthers, speaking_for

        place = self.schema.target.place_of(level)
        heads = sum(isinstance(module, AgainstOthers) for module in self.network.modules())
        if self.siblings is not None or self.chosen == place or heads != 1:
            return super().of(level)
        other = replace(self, network=speaking_for(self.network, place), chosen=place)
        if self.behind is None or self.witness is None:
            return other
        own: Any = self.behind.function
        function, rows = own.of(place), self.witness[0]
        return replace(other, behind=replace(self.behind, function=function, chosen=place), witness=(rows, function(rows)))

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        import torch

        return next((weight.device for weight in self.network.parameters()), torch.device("cpu"))

    @property
    def precision(self) -> Literal["float32", "float64"]:
        """The precision of the network."""
        import torch

        from dlx.model.networks import dtype_of

        return "float64" if dtype_of(self.network) == torch.float64 else "float32"

    def remade(self, network: torch.nn.Module, **changes: Any) -> Self:
        """Return the model of another network on the same dense rows, which is not held to the user's own."""
        changes = {"network": network, "behind": None, "witness": None} | changes
        return replace(self, **changes)

    def to(self, device: str) -> Self:
        """Return the model with its network on a device; the network itself is moved."""
        import torch

        devices.prepared(torch.device(device))
        return replace(self, network=self.network.to(device))

    def on(self, device: str, evaluations: float = devices.EVALUATIONS_OF_A_PAGE) -> Self:
        """Return the model with a copy of its network on a device, itself where that is there already.

        "auto" is where it is, or a GPU, if there is one and so many evaluations are worth its start (`dlx.model.devices`).
        """
        from torch import is_tensor

        from dlx.model.networks import untrained_copy

        weights = sum(weight.numel() for weight in self.network.parameters())
        place = devices.place_of(device, weights * evaluations)
        stays = self.device.type == place or (device == "auto" and devices.is_accelerator(self.device))
        if stays:
            return self
        copied = untrained_copy(self.network)
        for module in copied.modules():  # what is no parameter and no buffer of it is moved by nobody else
            vars(module).update({name: value.to(place) for name, value in vars(module).items() if is_tensor(value)})
        return replace(self, network=copied).to(place)

    def on_dense_columns(self) -> NeuralModel:
        """Return the same network as a model whose columns are the dense ones: each column of a one-hot group for itself."""
        from dlx.encoder import Encoder

        columns = tuple(Feature(f"dense {i}", label=name) for i, name in enumerate(self.encoder.names))
        encoder = Encoder.identity(Schema(columns, self.schema.target))
        return replace(self, encoder=encoder, provenance=None, behind=None, witness=None)

    def dense(self, rows: np.ndarray) -> torch.Tensor:
        """Return coded rows as the network's input, [rows, width] in its precision and on its device."""
        import torch

        return torch.from_numpy(self.encoder.transform(rows, self.precision)).to(self.device)

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the network's output of coded rows, in chunks on all cores."""
        import torch

        def chunk(some: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return self.network(self.dense(some)).reshape(-1).double().cpu().numpy()

        outputs = devices.in_blocks(chunk, rows, CHUNK_ROWS, self.device, lambda: devices.widest(self.network))
        return as_probabilities(outputs, self.scales[0], self.name)


@dataclass(frozen=True, eq=False, repr=False)
class AdditiveModel(NeuralModel):
    """A torch network that adds up nets of single dense columns and of pairs of columns; see `dlx.architectures.additive`."""

    @cached_property
    def parts(self) -> tuple[torch.nn.Module, torch.nn.Module, torch.Tensor]:
        """What recodes the dense input, the additive net, and the weight of each of its outputs, [1, outputs]."""
        import torch

        def of(module: Any) -> tuple[torch.nn.Module, torch.nn.Module, torch.Tensor]:
            if not isinstance(module, torch.nn.Sequential):
                return torch.nn.Identity(), module, torch.eye(len(module.head.weight), device=module.head.weight.device)
            named: dict[str, Any] = dict(module.named_children())
            recode = named.pop("recode", None)
            inner, *lines = named.values()  # of a class, a unit, a calibration
            before, net, weights = of(inner)
            for line in lines:
                weights = line.weight.detach() @ weights
            return recode or before, net, weights

        return of(self.network)

    @cached_property
    def owner(self) -> np.ndarray:
        """Position of the column that each dense column of the additive net belongs to, [width]."""
        recode = self.parts[0]
        if not hasattr(recode, "weight"):
            return self.encoder.owner
        return self.encoder.owner[cast("torch.Tensor", recode.weight).argmax(1).cpu().numpy()]

    @property
    def pairs(self) -> tuple[tuple[int, int] | None, ...]:
        """The positions of the columns that meet in each pair of the net; None where no pair was worth its place."""
        columns = np.unique(self.owner)
        found = cast("torch.Tensor", self.parts[1].chosen).tolist()
        return tuple((int(columns[i]), int(columns[j])) if i < len(columns) else None for i, j in found)

    def on_dense_columns(self) -> NeuralModel:
        """Return the same network as a model of the dense columns; as these, a pair may meet in more than two."""
        columns = super().on_dense_columns()
        return NeuralModel(columns.network, columns.encoder, columns.name, columns.scales)


def model_of_net(network: torch.nn.Module, encoder: Encoder, name: str, scales: tuple[Scale, ...] = CLASSIFIER) -> NeuralModel:
    """Return a network of dlx's as a model, an additive one as such, whatever is around it."""
    return (AdditiveModel if is_additive(network) else NeuralModel)(network, encoder, name, scales)


def is_additive(network: torch.nn.Module) -> bool:
    """Whether a network of dlx's is a sum over columns and pairs, maybe with linear layers around it."""
    return any(hasattr(module, "halves") for module in network.modules())


@dataclass(frozen=True, eq=False, repr=False)
class TreeModel(Model):
    """A sum of trees on original columns.

    Parameters
    ----------
    trees : Trees
        The trees, whose sum is on the first of the scales: the logit of boosted trees, the probability of a forest.
    original : callable, optional
        What the library that grew the trees predicts itself: rows as they came in, numbers [rows] on `original_scale` out,
        whatever dlx read of the trees; None for trees that no library holds.
    rounding : float
        How far rounding alone may part `original` from the sum of the leaves: its own sum, in its own precision.
    encoder : PipelineEncoder, optional
        Original columns to those that the trees ask; None where these are the same.
    """

    trees: Trees
    schema: Schema  # the columns that they read
    name: str = "trees"
    scales: tuple[Scale, ...] = CLASSIFIER
    original: Callable[[Any], np.ndarray] | None = None
    rounding: float = 0.0
    encoder: PipelineEncoder | None = None

    def __post_init__(self) -> None:
        width, asked = len(self.schema) if self.encoder is None else self.encoder.width, self.trees.feature.max()
        if max(asked, self.trees.reading.placed[:, 0].max(initial=0)) >= width:
            raise DlxError(f"the trees ask column {asked} of a table of {width}")

    def answering(self, level: str) -> Model:
        """Return the user's own model of a class, where there is one: its trees need not be read."""
        return super().answering(level) if self.behind is None else self.behind.answering(level)

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the sum of the leaves of coded rows."""
        return in_chunks(self.trees.predict, rows if self.encoder is None else self.encoder.transform(rows), CHUNK_ROWS)

    def on_columns(self, *rows: np.ndarray) -> tuple[Trees, list[np.ndarray]]:
        """Return trees that ask original columns, and some coded rows as these read them: as whole columns play a game."""
        if self.encoder is None:
            return self.trees, list(rows)
        return grouped(self.trees, self.encoder.owner, len(self.schema), [self.encoder.transform(some) for some in rows])


@dataclass(frozen=True, eq=False, repr=False)
class LinearModel(Model):
    """An intercept and one coefficient a dense column; `original` is what a user's own model predicts, as for trees."""

    coefficients: np.ndarray  # [width]
    intercept: float  # the output of a dense row of zeros
    encoder: Encoder | PipelineEncoder  # original columns to dense rows
    name: str = "linear"
    scales: tuple[Scale, ...] = CLASSIFIER
    original: Callable[[Any], np.ndarray] | None = None

    @property
    def schema(self) -> Schema:
        """The columns that it reads."""
        return self.encoder.schema

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return intercept + coefficients · dense row, in float64."""
        return self.intercept + in_chunks(
            lambda some: self.encoder.transform(some).astype(np.float64) @ self.coefficients, rows, CHUNK_ROWS
        )

    def parts(self, rows: np.ndarray) -> np.ndarray:
        """Return what each column of coded rows adds to the intercept, [rows, features]."""
        return self.encoder.fold(self.encoder.transform(rows).astype(np.float64) * self.coefficients)


@dataclass(frozen=True, eq=False, repr=False)
class EachClass(Model):
    """A model of several classes, trained by dlx: for each class a model of two, "it or not", which `of` returns."""

    models: tuple[Model, ...]  # one a class, in the order of the target's levels
    name: str

    @property
    def schema(self) -> Schema:
        """The columns that it reads."""
        return self.models[0].schema

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The scales of its classes."""
        return self.models[0].scales

    @property
    def target(self) -> str:
        """Which outcomes it speaks for: all."""
        return _each(self.schema)

    def on(self, device: str, evaluations: float = devices.EVALUATIONS_OF_A_PAGE) -> Self:
        """Return the models of all classes on a device, where they are nets."""
        return replace(self, models=tuple(model.on(device, evaluations) for model in self.models))

    def of(self, level: str) -> Model:
        """Return the model of a class."""
        place = self.schema.target.place_of(level)
        kept: dict[str, Any] = {name: getattr(self, name) for name in ("name", "provenance", "trained_on", "origin")}
        return replace(self.models[place], **kept, chosen=place, siblings=self)

    def compute(self, rows: Any) -> np.ndarray:
        """Raise a `DlxError` that asks for the class."""
        del rows
        raise _open(self)


@dataclass(frozen=True, eq=False, repr=False)
class Transformed(Model):
    """A function of another model's output.

    Parameters
    ----------
    model : Model
        The other.
    own : {"logit", "probability", "value"}
        The scale on which it is asked.
    change : callable
        Its outputs in, arrays of any shape; those of this model out, of the same shape.
    """

    model: Model
    own: Scale
    change: Callable[[np.ndarray], np.ndarray]
    schema: Schema  # of the other
    name: str
    scales: tuple[Scale, ...] = ("value",)

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the function of what the other predicts of coded rows."""
        return self.change(self.model.predict(rows, self.own, checked=True))


@dataclass(frozen=True, eq=False, repr=False)
class BlackBox(Model):
    """A function of a table, of which nothing but predictions can be asked.

    Parameters
    ----------
    function : callable
        DataFrame [rows, features] in, numbers [rows] out, on the first of the scales.
    carried : tuple of str
        The columns beside the features that it reads too: rows must be a table that has them.
    companion : DataFrame [1 or rows, carried], optional
        Their values, for rows that are codes: those of the one person that is explained, or of each row; anybody's where the
        function does not look at them.
    fastest : callable, optional
        Of one of several classes: what returns the model of a class, read as trees where that is proved.
    """

    function: Callable[[pd.DataFrame], Any]
    schema: Schema  # the columns that it reads
    name: str = "function"
    scales: tuple[Scale, ...] = CLASSIFIER
    carried: tuple[str, ...] = ()
    companion: pd.DataFrame | None = None
    fastest: Callable[[Any], Model] | None = None

    @property
    def target(self) -> str:
        """The outcome that the function speaks for: the chosen class, else that of the target."""
        return _each(self.schema) if self.is_open else super().target

    @property
    def is_open(self) -> bool:
        """Whether the function gives each of several classes, and nobody said which one is meant."""
        return self.chosen is None and self.schema.target.kind == "multiclass" and self.witness is not None

    def of(self, level: str) -> Model:
        """Return the model of another class, where the function gives all of them: read as trees where it was known how."""
        other = self.answering(level)
        if other is self or self.fastest is None:
            return other
        return replace(self.fastest(other), trained_on=self.trained_on).renamed(self.name)

    def answering(self, level: str) -> Model:
        """Return the function as that of another class, where it gives all of them."""
        place = self.schema.target.place_of(level)
        if self.chosen == place:
            return self
        if not isinstance(self.function, Reading) or self.witness is None or not self.function.has_every_class(self.witness[0]):
            return super().of(level)
        function = replace(self.function, chosen=place)
        return replace(self, function=function, chosen=place, witness=(self.witness[0], function(self.witness[0])))

    @property
    def original(self) -> Callable[[pd.DataFrame], Any]:
        """The function itself."""
        return self.function

    def compute(self, rows: pd.DataFrame) -> np.ndarray:
        """Return what the function gives for a table; it is not asked about none."""
        refuse_open(self)
        outputs = np.asarray(self.function(rows) if len(rows) else (), dtype=np.float64)
        return as_probabilities(outputs, self.scales[0], self.name)

    def typed(self, *some: Any) -> BlackBox:
        """Return the model whose schema knows the dtypes of a table that is among the rows, where it did not yet."""
        if all(feature.dtype for feature in self.schema.features):
            return self
        tables = [rows for one in some if (rows := table_of(one)) is not None]
        return replace(self, schema=self.schema.typed(tables[0])) if tables else self

    def as_read(self, rows: Any, *, checked: bool = False) -> pd.DataFrame:
        """Return rows as the function is given them: decoded from their codes, with the columns that are carried."""
        schema = self.typed(rows).schema
        for feature in schema.features:
            if feature.is_categorical and not feature.dtype and all(map(_LIKE_A_NUMBER.fullmatch, feature.levels)):
                raise DlxError(
                    f"does {self.name} read {feature.name!r} as {', '.join(feature.levels[:3])} or as text? pass rows as a "
                    "DataFrame or a Dataset, or set dtype for the column in the schema: 'int64', 'bool' or 'str'"
                )
        features, table = schema.decode(rows if checked else as_rows(schema, rows)), table_of(rows)
        if not self.carried:
            return features
        known = self.companion if table is None else table
        lacking = [name for name in self.carried if known is None or name not in known]
        if known is None or lacking:
            raise DlxError(
                f"{self.name} reads {', '.join(lacking)} too, which dlx does not change and codes do not hold; "
                "pass rows as a table that has it, or wrap a function that does without"
            )
        if len(known) not in (1, len(features)):
            raise DlxError(f"{self.name} was asked about {len(features)} rows, and given {self.carried[0]!r} of {len(known)}")
        beside = known[list(self.carried)].iloc[np.arange(len(features)) % len(known)].set_axis(features.index)
        return features.join(beside)[[name for name in schema.columns if name in beside or name in features]]

    def as_it_came(self, rows: Any) -> pd.DataFrame:
        """Return rows as the user's table holds them, in its dtypes; columns in the order of the schema."""
        if (table := table_of(rows)) is None:
            return self.as_read(rows)
        return table[[name for name in self.schema.columns if name in self.carried or name in self.schema.names]]


def with_carried(model: Model, rows: Any, which: Any) -> Model:
    """Return the model with the carried columns that it reads, of the people at some places of the rows as they came."""
    if not isinstance(model, BlackBox):
        return model
    model, table = model.typed(rows), table_of(rows)
    return model if table is None or not model.carried else replace(model, companion=table[list(model.carried)].iloc[which])


def with_carried_of(model: Model, which: np.ndarray) -> Model:
    """Return the model with the carried columns of some of its people, by place; itself where it has none, or one line."""
    if not isinstance(model, BlackBox) or model.companion is None or len(model.companion) == 1:
        return model
    return replace(model, companion=model.companion.iloc[which])


def refuse_open(model: Model) -> None:
    """Raise a `DlxError` if a model answers for each of several classes, and nobody said for which."""
    if isinstance(model, EachClass) or (isinstance(model, BlackBox) and model.is_open):
        raise _open(model)


def _each(schema: Schema) -> str:
    return f"each of {', '.join(schema.target.level_labels)}"


def _open(model: Model) -> DlxError:
    """Return the error of a model of several classes that does not know which one is meant."""
    last = model.schema.target.levels[-1]
    said = f"say for which: model.of({last!r}), in a command --class {shlex.quote(last)}"
    return DlxError(f"{model.name} answers for {model.target}; {said}")
