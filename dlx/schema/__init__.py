"""What the columns of a table mean: features, the target, and the checks that rows must pass."""

from dlx.schema.cells import level_text
from dlx.schema.description import read_schema
from dlx.schema.features import Adverse, Direction, Feature, Kind, SchemaError
from dlx.schema.inference import infer_schema
from dlx.schema.table import Carried, Schema, Target, TargetKind

__all__ = ["Adverse", "Carried", "Direction", "Feature", "Kind", "Schema", "SchemaError", "Target", "TargetKind"]
__all__ += ["infer_schema", "level_text", "read_schema"]
