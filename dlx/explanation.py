"""Explanations: contributions of features to the outputs of one model on some rows, by one method."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlx.arrays import array_id, as_slice, frozen, in_short, row_names
from dlx.errors import DlxError, listed, plural
from dlx.files import write_atomically
from dlx.rounding import rounded
from dlx.schema import Schema
from dlx.schema.features import words_of

if TYPE_CHECKING:
    import pandas as pd
    import shap

    from dlx.model import Model, Scale

ARRAYS = ("values", "base_values", "outputs", "rows", "standard_errors")
IDENTITY = ("model", "schema", "target", "method", "implementation", "options", "scale", "background_id", "seed", "carried")
ROUNDING = 1e-6  # of the contributions: standard errors that are 0 but for the root of a float's rounding
FEW_ROWS, FEW_COLUMNS = 5, 6  # that a notebook shows
NO_VARIATION = "sampled, and no variation seen: that is no proof that there is none"


@dataclass(frozen=True)
class LocalAccuracy:
    """Local accuracy, also called completeness: how closely base value + contributions must give the output."""

    # Largest residual as a share of the mean distance of outputs from the base value: whatever the unit, and however rare the
    # event. No promise where None.
    relative: float | None = None
    remedy: str = ""  # what is wrong, and what to do, where the promise is broken

    def __str__(self) -> str:
        if self.relative is None:
            return "does not promise to add up"
        share = f"{self.relative:.1%}".replace(".0%", "%") if self.relative >= 0.001 else f"{self.relative:g}"
        return f"adds up to within {share} of the mean effect"

    def limit(self, mean_effect: float) -> float:
        """Return the largest residual that keeps the promise; infinity where there is none."""
        return np.inf if self.relative is None else self.relative * mean_effect


@dataclass(frozen=True, eq=False)
class Attribution:
    """Contributions of features as a method returns them, before they are checked."""

    values: np.ndarray  # contributions of the original columns, [rows, features]
    base_values: np.ndarray | None = None  # what they start from, [rows]; the mean output of the background, where None
    evaluations: int = 0  # rows that the model was evaluated on
    standard_errors: np.ndarray | None = None  # sampling error of the values, [rows, features]
    extras: dict[str, np.ndarray] = field(default_factory=dict)  # what else the method says of each row, [rows] by name
    settled: dict[str, Any] = field(default_factory=dict)  # options that were left to the method, as it chose them

    __repr__ = in_short


class ExplanationError(DlxError):
    """An explanation whose arrays do not fit, or a file that does not hold one."""


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Contributions of features to the outputs of a model, against a background; all arrays are float64 and read-only.

    Parameters
    ----------
    values, standard_errors : ndarray [rows, features]
        Contribution of each original column, in units of `scale`; and its sampling error, where the method can tell.
    base_values, outputs : ndarray [rows]
        What the contributions start from; what the model predicts, by our own `predict`.
    rows, index, schema : ndarray [rows, features], ndarray [rows], Schema
        The rows that are explained, coded; their names, integers or text; what the columns mean.
    scale, target : str
        Unit of values, base values and outputs: "logit", "probability" or "value"; and the outcome that the outputs speak for,
        a class, or the value of a regression.
    method, implementation, options, promise : str, str, dict, str
        What was computed ("lime"), by what ("lime 0.2.0.1") and how; the local accuracy that it promises, in words.
    model, background_id, seed : str, str, int
        Name of the model, hash of the reference rows, and seed of everything random.
    seconds, evaluations : float, int
        Wall time, and rows that the model was evaluated on, 0 where the method cannot count them.
    failures : dict of int to str
        Why a row, by its position, was not explained; its values are NaN.
    extras : dict of str to ndarray [rows]
        What else the method says of each row, by name, such as a surrogate's R2.
    carried : tuple of str
        Columns that the model reads beside the features: they went along unchanged with each person, and have no contribution.
    again : callable, optional
        Seed in, the explanation made again with it out: of another tool, by which `dlx.comparison.replicate` measures its
        noise. It is not saved.
    """

    values: np.ndarray
    base_values: np.ndarray
    outputs: np.ndarray
    rows: np.ndarray
    schema: Schema
    scale: Literal["logit", "probability", "value"]
    method: str
    implementation: str
    model: str
    background_id: str
    target: str = ""
    index: Any = None
    options: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    seconds: float = 0.0
    evaluations: int = 0
    promise: str = ""
    standard_errors: np.ndarray | None = None
    failures: dict[int, str] = field(default_factory=dict)
    extras: dict[str, np.ndarray] = field(default_factory=dict)
    carried: tuple[str, ...] = ()
    again: Callable[[int], Explanation] | None = None

    def __post_init__(self) -> None:
        for name in ARRAYS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, frozen(getattr(self, name), np.float64))
        object.__setattr__(self, "extras", {name: frozen(array, np.float64) for name, array in self.extras.items()})
        object.__setattr__(self, "index", frozen(row_names(range(len(self.values)) if self.index is None else self.index)))
        count, width = np.shape(self.rows)
        if width != len(self.schema):
            raise ExplanationError(f"the schema has {len(self.schema)} features, but the rows have {width} columns")
        a_row = {name: getattr(self, name) for name in ("base_values", "outputs", "index")} | self.extras
        a_cell = {name: getattr(self, name) for name in ("values", "standard_errors")}
        for shape, arrays in (((count, width), a_cell), ((count,), a_row)):
            for name, array in arrays.items():
                if array is not None and array.shape != shape:
                    raise ExplanationError(f"{name} must be {list(shape)}, got {list(array.shape)}")

    def __repr__(self) -> str:
        most = np.array(self.schema.names)[np.argsort(-self.importance, kind="stable")]
        failed = f"; {plural(len(self.failures), 'row')} not explained" if self.failures else ""
        said = [
            f"Explanation({self.method} of {self.model}: {self.target}, {self.scale}; {self.implementation}, seed {self.seed}",
            f"  {plural(len(self), 'row')} x {plural(len(self.schema), 'feature')}, {self.seconds:.1f} s{failed}",
            f"  most important: {listed(most, 6)})",
        ]
        return "\n".join(" ".join(line.splitlines()) for line in said)

    def _repr_html_(self) -> str:
        from dlx.notebook import shown

        title, *about = repr(self).removeprefix("Explanation(").splitlines()
        bars = {label: float(size) for label, size in zip(self.schema.labels, self.importance, strict=True) if size >= 0}
        first = self[:FEW_ROWS]
        top = np.argsort(-self.importance, kind="stable")[:FEW_COLUMNS]
        columns = ["row", "output", *(self.schema.labels[i] for i in top)]
        cells = np.column_stack([first.outputs, first.values[:, top]])
        words = [[(rounded(x, 2) if self.scale == "logit" else f"{x:.3g}").replace("-", "−") for x in row] for row in cells]
        rows = [[str(name), *row] for name, row in zip(first.index, words, strict=True)]
        caption = f"Contributions of the most important columns, the first {len(first)} of {plural(len(self), 'row')}"
        unit = f"Mean size of contributions, {self.scale}"
        return shown(f"{title}; {about[0].strip()}", bars, unit, caption, columns, rows)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, which: Any) -> Explanation:
        """Return the explanation of the rows at positions, a slice or a mask."""
        which = as_slice(which, len(self))
        parts = {name: getattr(self, name)[which] for name in (*ARRAYS, "index") if getattr(self, name) is not None}
        kept = np.arange(len(self))[which]
        failures = {new: self.failures[old] for new, old in enumerate(kept.tolist()) if old in self.failures}
        extras = {name: array[which] for name, array in self.extras.items()}
        again = self.again
        parts["again"] = None if again is None else lambda seed: again(seed)[which]
        return dataclasses.replace(self, **parts, failures=failures, extras=extras)

    def of(self, names: Any) -> Explanation:
        """Return the explanation of the rows with some names, in their order; of one row where one name is given."""
        wanted, known = row_names(names if np.ndim(names) else [names]), self.index.tolist()
        places = dict(zip(known, range(len(known)), strict=True))
        if strange := [name for name in wanted.tolist() if name not in places]:
            raise ExplanationError(
                f"{self.method} of {self.model} explains no row {strange[0]!r}; it explains {listed(known, 6)}"
            )
        return self[np.array([places[name] for name in wanted.tolist()], dtype=int)]

    def sorted(self, by: str = "output", *, rising: bool = False) -> Explanation:
        """Return the explanation with its rows sorted by "output", or by the contribution of a feature; the largest first."""
        keys = self.outputs if by == "output" else self.values[:, self.schema.position(by)]
        return self[np.argsort(keys if rising else -keys, kind="stable")]

    @classmethod
    def from_values(
        cls,
        values: Any,
        base_values: Any,
        model: Model,
        rows: Any,
        *,
        scale: Scale,
        background: Any,
        method: str,
        made_by: str = "another tool",
        standard_errors: Any = None,
        adds_up: bool = True,
        options: dict[str, Any] | None = None,
        again: Callable[[int], Any] | None = None,
    ) -> Explanation:
        """Return contributions that another tool computed, to be compared with those of dlx.

        What the numbers do not say must be said: scale and background. Where they are held to add up, dlx checks that they do
        so to what the model predicts, from the mean output of the background, both within 1 % of the mean effect.

        Parameters
        ----------
        values : array, tensor or DataFrame [rows, features]
            Of the original columns, or of the dense columns that a net or linear model reads: these are summed by column.
        base_values : float or array [rows]
            What the contributions start from; None for the mean output of the background.
        model : Model
            The model that was explained, of dlx or wrapped by `dlx.wrap`.
        rows : Dataset, DataFrame or ndarray [rows, features]
            The people who were explained.
        scale : {"logit", "probability", "value"}
            Unit of the values.
        background : Dataset, DataFrame or ndarray [references, features], or None
            What they were explained against; None where it is not known: such an explanation compares with no other.
        method, made_by : str
            What computed them, as it is to be called, and by which tool and version.
        standard_errors : array [rows, features], optional
            Sampling errors of the values.
        adds_up : bool
            Whether the method promises that contributions add up; False for saliency or a surrogate's.
        options : dict, optional
            How it was computed, to be kept with it.
        again : callable, optional
            A seed in, values made again with it out, of the form of `values` and of the same rows: by it the noise of a method
            that is random is measured, in `dlx.comparison.replicate` and in a report.

        Raises
        ------
        ExplanationError
            If shapes do not fit, a value is not finite, or what is promised does not hold; the message says what would.
        """
        from dlx import foreign
        from dlx.model import as_rows

        coded, outputs = foreign.codes_and_outputs(model, rows, scale)
        found = foreign.of_columns(values, model, len(coded), "values")
        references = None if background is None else as_rows(model.schema, background)
        base = foreign.base_of(base_values, model, references, scale, len(coded))
        if adds_up:
            foreign.check_sums(found, base, model, coded, scale)
        if adds_up and references is not None:
            foreign.check_base(base, model.predict(references, scale), outputs, scale)
        if standard_errors is not None:
            standard_errors = foreign.of_columns(standard_errors, model, len(coded), "standard_errors")
        shared: dict[str, Any] = {"scale": scale, "background": background, "method": method, "made_by": made_by}
        shared |= {"adds_up": adds_up, "options": options}
        made = cls(
            values=found,
            base_values=base,
            outputs=outputs,
            rows=coded,
            schema=model.schema,
            scale=scale,
            method=method,
            implementation=made_by,
            model=model.name,
            background_id=foreign.UNKNOWN + array_id(found) if references is None else array_id(references),
            target=model.target,
            index=getattr(rows, "index", None),
            options=options or {},
            promise=str(foreign.PROMISE if adds_up else LocalAccuracy()),
            standard_errors=standard_errors,
        )
        return foreign.repeated(made, again, lambda values: cls.from_values(values, base_values, model, rows, **shared))

    @classmethod
    def from_shap(
        cls,
        found: Any,
        model: Model,
        rows: Any,
        *,
        scale: Scale,
        background: Any,
        method: str = "shap",
        output: int | None = None,
        again: Callable[[int], Any] | None = None,
    ) -> Explanation:
        """Return a `shap.Explanation` as one of dlx; of two outputs the second, of more the one at position `output`.

        `again` takes a seed and returns another `shap.Explanation`. Other parameters, and errors raised, are those of
        `from_values`.
        """
        from dlx.foreign import one_output, repeated

        values, base = one_output(found, output, model)
        shared: dict[str, Any] = {"scale": scale, "background": background, "method": method}
        made = cls.from_values(values, base, model, rows, made_by=f"shap {version('shap')}", **shared)
        return repeated(made, again, lambda other: cls.from_shap(other, model, rows, output=output, **shared))

    @classmethod
    def from_captum(
        cls,
        attributions: Any,
        model: Model,
        rows: Any,
        *,
        scale: Scale,
        background: Any,
        method: str = "captum",
        again: Callable[[int], Any] | None = None,
    ) -> Explanation:
        """Return captum's attributions, a tensor [rows, dense columns], as an explanation of dlx, summed by original column.

        The baselines are the background: one row, or all over which attributions were averaged. Parameters, and errors raised,
        are those of `from_values`.
        """
        shared: dict[str, Any] = {"scale": scale, "background": background, "method": method, "again": again}
        return cls.from_values(attributions, None, model, rows, made_by=f"captum {version('captum')}", **shared)

    @classmethod
    def from_lime(
        cls,
        found: Sequence[Any],
        explainer: Any,
        model: Model,
        rows: Any,
        *,
        scale: Scale,
        background: Any,
        label: int = 1,
        again: Callable[[int], Any] | None = None,
    ) -> Explanation:
        """Return what a `LimeTabularExplainer` says of each row, in the unit of all others: contributions against a background.

        A weight of lime is the effect of being in the person's bin; times the share of the background that is not, it is the
        distance from the average person. Surrogates do not promise to add up. `label` is lime's, the outcome that was
        explained; `again` takes a seed and returns another list like `found`. Other parameters, and errors raised, are those
        of `from_values`.
        """
        from dlx.foreign import lime_contributions, repeated

        values, base = lime_contributions(found, explainer, model, rows, background, label, scale)
        package = type(explainer).__module__.partition(".")[0]
        shared: dict[str, Any] = {"scale": scale, "background": background, "method": package, "adds_up": False}
        made = cls.from_values(values, base, model, rows, made_by=f"{package} {version(package)}", **shared)
        asked: dict[str, Any] = {"scale": scale, "background": background, "label": label}
        return repeated(made, again, lambda other: cls.from_lime(other, explainer, model, rows, **asked))

    @classmethod
    def concatenate(cls, parts: Sequence[Explanation]) -> Explanation:
        """Return explanations of different rows, of one model by one method, as one.

        Raises
        ------
        ExplanationError
            If there are none, they differ in anything but their rows, or two explain a row of one name.
        """
        parts = list(parts)
        if not parts:
            raise ExplanationError("there is nothing to concatenate; pass at least 1 explanation")
        first = parts[0]
        for name in IDENTITY:
            if differing := [other for other in parts if getattr(other, name) != getattr(first, name)]:
                both = f"{getattr(first, name)!r} and {getattr(differing[0], name)!r}"
                raise ExplanationError(f"explanations that are concatenated must share their {name}, got {both}")
        index = np.concatenate([part.index for part in parts])
        if len(np.unique(index)) < len(index):
            raise ExplanationError("explanations that are concatenated must be of different rows, got one name twice")
        found: dict[str, Any] = {name: _joined([getattr(part, name) for part in parts]) for name in ARRAYS}
        starts = np.cumsum([0, *map(len, parts)]).tolist()
        failures = {start + row: why for start, part in zip(starts, parts, strict=False) for row, why in part.failures.items()}
        shared = [name for name in first.extras if all(name in part.extras for part in parts)]
        extras = {name: np.concatenate([part.extras[name] for part in parts]) for name in shared}
        cost = {name: sum(getattr(part, name) for part in parts) for name in ("seconds", "evaluations")}
        return dataclasses.replace(first, **found, **cost, index=index, failures=failures, extras=extras, again=None)

    @property
    def residuals(self) -> np.ndarray:
        """Local accuracy: output - base value - sum of the values, [rows]; 0 where the contributions add up."""
        return self.outputs - self.base_values - self.values.sum(axis=1)

    @property
    def failed(self) -> np.ndarray:
        """Whether a row was not explained, bool [rows]: a value is NaN or infinite."""
        return ~np.isfinite(self.values).all(axis=1)

    @property
    def importance(self) -> np.ndarray:
        """Mean absolute contribution of each feature over the rows that were explained, [features]; NaN if none was."""
        explained = np.abs(self.values[~self.failed])
        return explained.mean(axis=0) if len(explained) else np.full(self.values.shape[1], np.nan)

    @property
    def options_words(self) -> str:
        """The method's options in one string: "n_features=None n_samples=512"."""
        return " ".join(f"{name}={value}" for name, value in sorted(self.options.items()))

    @property
    def shown(self) -> np.ndarray:
        """The rows in the words of the schema, object [rows, features]."""
        return np.array(self._words(), dtype=object).reshape(self.rows.shape)

    @property
    def rows_id(self) -> str:
        """Hash of the rows that are explained."""
        return array_id(self.rows)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a line a row and feature: its value in words, its contribution, the method and model.

        Texts are pandas' categories, so that a million people take hundreds of megabytes.
        """
        import pandas as pd

        count, width = self.values.shape
        about = {"model": self.model, "method": self.method, "scale": self.scale, "target": self.target}
        columns = {"feature": self.schema.names, "label": self.schema.labels}
        places, nothing = np.tile(np.arange(width), count), np.zeros(count * width, dtype=np.intp)
        held: dict[str, Any] = {name: texts([word], nothing) for name, word in about.items()}
        held["row"] = (
            np.repeat(self.index, width)
            if self.index.dtype.kind in "iu"
            else texts(self.index, np.repeat(np.arange(count), width))
        )
        held |= {name: texts(words, places) for name, words in columns.items()}
        held |= {"value": self._words(), "contribution": self.values.ravel()}
        held |= {"base_value": np.repeat(self.base_values, width), "output": np.repeat(self.outputs, width)}
        if self.standard_errors is not None:
            held["standard_error"] = self.standard_errors.ravel()
            held["note"] = texts(["", NO_VARIATION], np.repeat(self.unvaried.astype(int), width))
        return pd.DataFrame(held, copy=False)

    def _words(self) -> pd.Categorical:
        """Return the rows in the words of the schema, [rows x features]."""
        found, start = np.empty(self.rows.shape, dtype=np.int32), 0
        words: list[str] = []
        for i, (feature, column) in enumerate(zip(self.schema.features, self.rows.T, strict=True)):
            different, which = words_of(feature, column)
            found[:, i] = which + start
            words, start = words + different, start + len(different)
        return texts(words, found.ravel())

    @property
    def contributions(self) -> pd.DataFrame:
        """The contributions as a table, a line a row and a column a feature, named as the table's; for pandas and parquet."""
        import pandas as pd

        return pd.DataFrame(self.values, index=pd.Index(self.index, name="row"), columns=list(self.schema.names))

    @property
    def unvaried(self) -> np.ndarray:
        """Rows whose values were sampled and not seen to vary, bool [rows]: their standard errors of 0 prove nothing."""
        if self.standard_errors is None or "enumerated" not in self.extras:
            return np.zeros(len(self), dtype=bool)
        sizes = np.abs(self.values).sum(axis=1)
        is_still = self.standard_errors.max(axis=1) <= ROUNDING * sizes
        return is_still & (self.extras["enumerated"] == 0) & ~self.failed

    def to_shap(self) -> shap.Explanation:
        """Return the explanation for shap's plots."""
        import shap

        return shap.Explanation(
            values=self.values.copy(),
            base_values=self.base_values.copy(),
            data=self.rows.copy(),
            display_data=self.shown,
            feature_names=list(self.schema.labels),
            output_names=self.scale,
        )

    def packed(self) -> bytes:
        """Return the bytes of the file that `save` writes."""
        from dlx.explanation_file import packed

        return packed(self)

    def save(self, path: str | Path) -> Path:
        """Write the explanation to one file, whole or not at all, and return its path.

        It is one of safetensors, or of Parquet if the path ends so: other tools read that as a table, a line a row, with
        columns ``contribution/<feature>``.
        """
        from dlx.explanation_file import PARQUET, packed_as_parquet

        return write_atomically(path, packed_as_parquet(self) if Path(path).suffix == PARQUET else self.packed())

    @classmethod
    def load(cls, path: str | Path) -> Explanation:
        """Return the explanation that a file holds.

        Raises
        ------
        ExplanationError
            If there is no such file, it is no explanation of dlx, it was altered, or what it holds is none.
        """
        from dlx.explanation_file import unpacked

        return unpacked(Path(path))


def texts(words: Sequence[Any], which: np.ndarray) -> pd.Categorical:
    """Return texts [lines] as pandas' categories, by the words that there are, perhaps twice, and the place of each line's."""
    import pandas as pd

    places, different = pd.factorize(np.array(words, dtype=object))
    kind = np.min_scalar_type(len(different))
    return pd.Categorical.from_codes(places.astype(kind)[which], different)


def _joined(arrays: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Return arrays of rows as one; None where one of them is not there."""
    known = [array for array in arrays if array is not None]
    return np.concatenate(known) if len(known) == len(arrays) else None
