"""What the columns of a table mean: features, the target, and the checks that rows must pass."""

from dlx.schema.cells import level_text, plural
from dlx.schema.columns import Feature, SchemaError, Target
from dlx.schema.inference import infer_schema
from dlx.schema.sources import read_schema
from dlx.schema.table import Carried, Schema

__all__ = ["Carried", "Feature", "Schema", "SchemaError", "Target", "infer_schema", "level_text", "plural", "read_schema"]
