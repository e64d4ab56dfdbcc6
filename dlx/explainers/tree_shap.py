"""Tree SHAP of a tree model, by shap: interventional, with the same background as every other method, exact.

Lundberg et al. (2020), "From local explanations to global understanding with explainable AI for trees", algorithm 3.
On the trees' own scale only: the logit of boosted trees, the probability of a forest. The path-dependent variant
(algorithm 1), shap's default without a background, takes the shares of training rows at each split in place of the
background: another quantity, with another base value.
"""

from __future__ import annotations

import numpy as np

from dlx.explanation import Attribution, LocalAccuracy
from dlx.model import Scale, ScaleError, TreeModel

LABEL = "Tree SHAP"
LIBRARY = "shap"
PROMISE = LocalAccuracy(absolute=1e-6)
IS_SHAPLEY = True
QUESTION = "How much does each column add, averaged over all orders, read exactly off the trees?"


def attribute(
    model: TreeModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0, path_dependent: bool = False
) -> Attribution:
    """Return exact interventional Shapley values of coded rows.

    Parameters
    ----------
    model : TreeModel
        The trees.
    rows, background : ndarray [rows, features], [references, features]
        Coded; read as float32, as the trees do.
    scale : {"logit", "probability", "value"}
        The trees' own scale.
    seed : int
        Unused: nothing is random.
    path_dependent : bool
        Take the shares of training rows at each split in place of the background.

    Raises
    ------
    ScaleError
        If the scale is not the one on which the trees add up.
    """
    import shap

    del seed
    if scale != model.scales[0]:
        raise ScaleError(
            f"tree_shap explains {model.name} on the scale on which its trees add up, {model.scales[0]!r}, "
            f"not {scale!r}; use kernel_shap for {scale!r}"
        )
    trees = model.trees.for_shap()
    if path_dependent:
        explainer = shap.TreeExplainer(trees, feature_perturbation="tree_path_dependent")
        base_value = float(np.ravel(explainer.expected_value)[0])
    else:
        reference = shap.maskers.Independent(background.astype(np.float32), max_samples=len(background))
        explainer = shap.TreeExplainer(trees, reference, feature_perturbation="interventional")
        base_value = float(model.predict(background, scale).mean())
    return Attribution(
        values=explainer.shap_values(rows.astype(np.float32), check_additivity=False),
        base_values=np.full(len(rows), base_value),
        evaluations=len(rows) * len(background),
    )
