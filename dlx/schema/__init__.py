"""What the columns of a table mean: features, the target, and the checks that rows must pass."""

from dlx.schema.columns import Feature, SchemaError, Target, level_text, plural
from dlx.schema.sources import infer_schema, read_schema
from dlx.schema.table import Carried, Schema

__all__ = ["Carried", "Feature", "Schema", "SchemaError", "Target", "infer_schema", "level_text", "plural", "read_schema"]
