"""What would change the answer: counterfactuals for the denied, and the model's association with what people can change."""

from dlx.audit.recourse.actions import ActionSet, RecourseError
from dlx.audit.recourse.finding import denied, recourse
from dlx.audit.recourse.modifiable import modifiable
from dlx.audit.recourse.result import Answer, Counterfactual, Recourse
from dlx.audit.recourse.transfer import transfer

__all__ = [
    "ActionSet",
    "Answer",
    "Counterfactual",
    "Recourse",
    "RecourseError",
    "denied",
    "modifiable",
    "recourse",
    "transfer",
]
