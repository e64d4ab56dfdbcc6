"""scikit-learn's interface: estimators around the nets of dlx, for pipelines, searches and cross-validation.

`dlx.explain` takes them fitted as they are, and `dlx.wrap` with a case: as nets, of which gradients can be asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_regressor
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from dlx import architectures, training
from dlx.dataset import Dataset
from dlx.dataset.parts import tenths
from dlx.model import EachClass, Model, NeuralModel
from dlx.model.estimators import class_position
from dlx.schema import Feature, Schema, Target, level_text
from dlx.schema.frames import as_pandas
from dlx.training import TrainingError

if TYPE_CHECKING:
    import torch


class _Net(BaseEstimator):
    """What both estimators share: a table becomes a schema and rows, on which a net of dlx is trained."""

    model_: Model

    def __init__(
        self,
        architecture: str = "mlp",
        *,
        options: dict[str, Any] | None = None,
        validation_fraction: float = 0.2,
        random_state: Any = 0,
        device: str = "auto",
    ) -> None:
        self.architecture = architecture
        self.options = options
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.device = device

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _checked(self, X: Any, y: Any) -> tuple[Any, np.ndarray]:
        """Return columns, of numbers alone as an array, and outcomes, as scikit-learn checks them."""
        X = as_pandas(X)
        if hasattr(X, "columns") and any(map(_is_level, X.dtypes)):
            validate_data(self, X, skip_check_array=True)
            y = column_or_1d(y, warn=True)
            check_consistent_length(X, y)
            return X, y.astype(np.float64) if is_regressor(self) else y
        asked: dict[str, Any] = {"dtype": np.float64, "ensure_all_finite": "allow-nan", "ensure_min_samples": 2}
        X, y = validate_data(self, X, y, **asked, y_numeric=is_regressor(self))
        return X, y

    def _trained(self, X: Any, target: Target, outcomes: np.ndarray, sample_weight: Any) -> Self:
        """Train on rows that are checked; those that weigh nothing are left out."""
        if not architectures.is_net(self.architecture):
            raise TrainingError(f"{type(self).__name__} trains nets, and {self.architecture} is none; use scikit-learn's own")
        if not 0 < self.validation_fraction < 1:
            raise TrainingError(f"validation_fraction must lie between 0 and 1, got {self.validation_fraction!r}")
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        counted = np.arange(len(X)) if weights is None else np.flatnonzero(weights)
        if target.levels and len(np.unique(outcomes[counted])) < len(target.levels):
            raise TrainingError("each class needs a row that counts, but all rows of a class weigh 0; leave out that class")
        schema = Schema(self._features(X), target)
        case = Dataset(schema, schema.encode(X) if hasattr(X, "columns") else X, outcomes, name=type(self).__name__)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        strata = outcomes[counted] if target.levels else tenths(outcomes[counted])
        learning, stopping = (counted[some] for some in _parts(strata, self.validation_fraction, seed))
        given: dict[str, Any] = {"seed": seed, "device": self.device, "config": self.options}
        given |= {"weights": None if weights is None else weights[learning]}
        fitted = training.fit(self.architecture, case[learning], case[stopping], **given)
        for one in _nets(fitted.model):
            one.network.double()
        self.model_, self.history_ = fitted.model, fitted.history
        return self

    def _features(self, X: Any) -> tuple[Feature, ...]:
        """Return the columns of a table, numbers and levels, or of an array of numbers."""
        if not hasattr(X, "columns"):
            names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(X.shape[1])])
            return tuple(
                Feature(str(name), missing=bool(np.isnan(column).any())) for name, column in zip(names, X.T, strict=True)
            )
        return tuple(_feature(str(name), column) for name, column in X.items())

    def _rows(self, X: Any) -> np.ndarray:
        """Return columns as the net reads them, coded [rows, features]; an error where they are not those of the training."""
        check_is_fitted(self)
        X, schema = as_pandas(X), self.model_.schema
        if schema.categorical:
            validate_data(self, X, reset=False, skip_check_array=True)
            return schema.encode(X)
        found: np.ndarray = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        return found

    def as_inputs(self, X: Any) -> np.ndarray:
        """Return what the net is given of columns, float64 [rows, width]; `dlx.wrap` asks."""
        rows = self._rows(X)
        return _nets(self.model_)[0].encoder.transform(rows, np.float64)


class NetClassifier(ClassifierMixin, _Net):
    """A net that tells classes apart, as an estimator of scikit-learn.

    Parameters
    ----------
    architecture : str
        A net among `dlx.architectures`: ``"mlp"``, ``"resnet"``.
    options : dict, optional
        Options of the architecture and of its training, see `dlx.training.options(architecture)`.
    validation_fraction : float
        Share of the rows, of each class or of each tenth of the values, that tell when to stop.
    random_state : int, RandomState or None
        Seed of everything random.
    device : {"auto", "cpu", "cuda"}
        Where the net is trained.

    Attributes
    ----------
    model_ : Model
        The net as dlx explains it, in float64, so that a row's prediction does not depend on the rows beside it.
        Where each class is learnt against the others (``"additive"``), it answers for each as it was learnt, which
        `predict_proba` divides by their sum.
    history_ : DataFrame
        A line an epoch: epoch, training_loss, validation_loss.
    classes_ : ndarray
        The classes, in the order of `predict_proba`.
    n_features_in_, feature_names_in_
        The number of columns, and their names where a table was given. Columns of numbers may have gaps; a table's other
        columns are levels, of a pandas category all those that its dtype lists.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Return the estimator, trained on columns [rows, features] and the class of each row."""
        X, y = self._checked(X, y)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise TrainingError(f"NetClassifier needs rows of two classes, got 1 class: {self.classes_[0]!r}")
        levels = tuple(level_text(one) for one in self.classes_.tolist())
        kind: Any = "binary" if len(levels) == 2 else "multiclass"
        return self._trained(X, Target("outcome", kind, levels), codes.astype(np.float64), sample_weight)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, [rows, classes], in the order of `classes_`."""
        rows = self._rows(X)
        return self.model_.probabilities(rows)

    def predict(self, X: Any) -> np.ndarray:
        """Return the likeliest class of each row."""
        chances = self.predict_proba(X)
        found: np.ndarray = self.classes_[chances.argmax(axis=1)]
        return found

    def as_network(self, levels: tuple[str, ...]) -> torch.nn.Module:
        """Return the net with an output for each level of a target, in their order; `dlx.wrap` asks."""
        import torch

        from dlx.model.heads import AgainstOthers

        network, places = _nets(self.model_)[0].network, range(len(levels))
        order = [class_position(self.classes_, levels, place, type(self).__name__) for place in places]
        if len(levels) > 2:
            body, head = network.get_submodule("0"), network.get_submodule("1")
            shares = [] if isinstance(head, AgainstOthers) else [torch.nn.LogSigmoid()]  # of which softmax makes shares of 1
            network = torch.nn.Sequential(body, *shares)
        outputs = torch.nn.Linear(len(levels) if len(levels) > 2 else 1, len(levels), bias=False, dtype=torch.float64)
        chosen = torch.eye(len(levels), dtype=torch.float64)[order]
        outputs.weight = torch.nn.Parameter(chosen if len(levels) > 2 else chosen[:, 1:], requires_grad=False)
        return torch.nn.Sequential(network, outputs)


class NetRegressor(RegressorMixin, _Net):
    """A net that predicts a value, as an estimator of scikit-learn.

    Parameters and attributes are those of `NetClassifier`, but for `classes_`.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Return the estimator, trained on columns [rows, features] and the value of each row."""
        X, y = self._checked(X, y)
        return self._trained(X, Target("outcome", "regression"), np.asarray(y, dtype=np.float64), sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """Return the value of each row."""
        rows = self._rows(X)
        return self.model_.predict(rows, "value")

    def as_network(self, levels: tuple[str, ...]) -> torch.nn.Module:
        """Return the net; `dlx.wrap` asks."""
        del levels
        return _nets(self.model_)[0].network


def _nets(model: Model) -> tuple[NeuralModel, ...]:
    """Return the nets of each class, or the one that there is."""
    every = model.models if isinstance(model, EachClass) else (model,)
    return tuple(one for one in every if isinstance(one, NeuralModel))


def _is_level(dtype: Any) -> bool:
    from pandas.api.types import is_numeric_dtype

    return not is_numeric_dtype(dtype)


def _feature(name: str, column: Any) -> Feature:
    """Return a column of a table as a feature."""
    missing = bool(column.isna().any())
    if not _is_level(column.dtype):
        return Feature(name, missing=missing)
    category = column.dtype if hasattr(column.dtype, "categories") else None
    values = sorted(column.dropna().unique(), key=str) if category is None else category.categories
    ordered = category is not None and bool(category.ordered)
    return Feature(name, "categorical", levels=tuple(map(level_text, values)), ordered=ordered, missing=missing)


def _parts(strata: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to learn from, and a share of each stratum to stop by; a single row of a stratum is in both."""
    rng, learning, stopping = np.random.default_rng(seed), list[np.ndarray](), list[np.ndarray]()
    for stratum in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        count = min(max(1, round(share * len(rows))), max(1, len(rows) - 1))
        stopping.append(rows[:count])
        learning.append(rows[count:] if len(rows) > 1 else rows)
    return np.sort(np.concatenate(learning)), np.sort(np.concatenate(stopping))
