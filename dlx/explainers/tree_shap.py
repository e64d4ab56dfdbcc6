"""Tree SHAP of a tree model: interventional, with the same background as every other method, exact.

The quantity is that of Lundberg et al. (2020), "From local explanations to global understanding with explainable AI for
trees", algorithm 3; `dlx.kernels.trees.leaf_values` computes it, and shap's TreeExplainer is the reference. On the trees' own
scale only: the logit of boosted trees, the probability of a forest. The path-dependent variant (algorithm 1), shap's
default without a background, takes the shares of training rows at each split in place of the background: another
quantity, with another base value, and always shap's.
"""

from __future__ import annotations

import numpy as np

from dlx.explainers import ROWS, AsItComes, is_own_scale, refuse_other_scale
from dlx.explanation import Attribution, LocalAccuracy
from dlx.kernels.trees import leaf_values
from dlx.model import Scale, TreeModel

LABEL = "Tree SHAP"
LIBRARY = "shap"
PROMISE = LocalAccuracy(relative=1e-6)
IS_SHAPLEY = True
IS_RANDOM, KNOWS_ERROR = False, False
COST, PREFERENCE, EVALUATES = "low", 1, ROWS
AS_IT_COMES = AsItComes("training shares", options={"background": {"path_dependent": True}})  # shap 0.51, without data
OURS = {"path_dependent": False}  # what our kernel computes; with other options shap does
BATCH_ROWS = 8_192  # what is made of the background is made once a batch
exact_for = is_own_scale
QUESTION = "How much does each column add, averaged over all orders, read exactly off the trees?"


def attribute(
    model: TreeModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0, path_dependent: bool = False
) -> Attribution:
    """Return exact interventional Shapley values of coded rows.

    Parameters
    ----------
    model, rows, background, scale, seed
        As in `dlx.explainers`; the scale is the trees' own.
    path_dependent : bool
        Take the shares of training rows at each split in place of the background.

    Raises
    ------
    ScaleError
        If the scale is not the one on which the trees add up.
    """
    del seed
    assert not path_dependent, "see OURS"
    refuse_other_scale(model, scale)
    trees, (people, references) = model.on_columns(rows, background)
    values = leaf_values(trees, people, references)
    return Attribution(values, evaluations=len(rows) + len(background))


def reference(
    model: TreeModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0, path_dependent: bool = False
) -> Attribution:
    """Return what shap's TreeExplainer gives; its arguments are those of `attribute`."""
    from dlx.explainers._shap import shap_values

    del seed
    refuse_other_scale(model, scale)
    if path_dependent:
        trees, (people,) = model.on_columns(rows)
        values, mean = shap_values(trees, people, None)
        return Attribution(values, np.full(len(rows), mean), evaluations=len(rows) * len(background))
    trees, (people, references) = model.on_columns(rows, background)
    values, _ = shap_values(trees, people, references)
    return Attribution(values, evaluations=len(rows) * len(background))
