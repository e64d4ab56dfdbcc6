"""Models: anything that predicts rows of original columns, on a stated scale."""

from dlx.model.base import Model, Provenance, Scale, ScaleError, as_rows, check_model, check_scale, decided, for_case, rescaled
from dlx.model.fidelity import FidelityError, predicted, refuse_unfaithful
from dlx.model.foreign_trees import trees_of, wrap_trees
from dlx.model.kinds import AdditiveModel, BlackBox, EachClass, LinearModel, NeuralModel, Transformed, TreeModel
from dlx.model.opening import is_own, open_model
from dlx.model.wrapping import wrap

__all__ = ["AdditiveModel", "BlackBox", "EachClass", "FidelityError", "LinearModel", "Model", "NeuralModel", "Provenance"]
__all__ += ["Scale", "ScaleError", "Transformed", "TreeModel", "as_rows", "check_model", "check_scale", "decided", "for_case"]
__all__ += ["is_own", "open_model", "predicted", "refuse_unfaithful", "rescaled", "trees_of", "wrap", "wrap_trees"]
