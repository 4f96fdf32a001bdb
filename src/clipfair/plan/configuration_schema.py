"""The JSON schema docs/configuration.schema.json, with which editors complete and check configuration files.

It is that of the model of the merged configuration, less what one file alone need not satisfy: entries may
lack keys (another file or ``like`` has them), and roles and text may stand for values.
"""

import json
from collections.abc import Mapping
from typing import Any

from clipfair.core.paths import ROOT
from clipfair.plan.configuration.root import Configuration

SCHEMA = ROOT / "docs/configuration.schema.json"
ROLE = r"^\$"
# A role, or a number that YAML 1.1 reads as text, such as 1e-7.
ROLE_OR_NUMBER = r"^(\$|[-+]?[0-9.])"
# λ is text in the model, as it is a part of paths.
NUMBERS_AS_TEXT = ("lam", "lams")


def render_schema() -> str:
    """The file."""
    return json.dumps(_relaxed(Configuration.model_json_schema()), indent=1, ensure_ascii=False) + "\n"


def _relaxed(schema: Any, name: str = "") -> Any:
    """A part of the schema, or the schema of a key ``name``, as one file has to satisfy it."""
    if isinstance(schema, list):
        return [_relaxed(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    # What a model requires may be in another file; without its kind an entry matches several.
    relaxed = {
        {"oneOf": "anyOf"}.get(key, key): _part(key, value)
        for key, value in schema.items()
        if key not in ("required", "discriminator", "title")
    }
    kind = relaxed.get("type")
    if kind == "array":
        items = relaxed.get("items")
        if name in NUMBERS_AS_TEXT and items == {"type": "string"}:
            relaxed["items"] = {"type": ["number", "string"]}
        return relaxed | {"type": ["array", "string"], "pattern": ROLE}
    if kind in ("number", "integer") and "enum" not in relaxed and "const" not in relaxed:
        return relaxed | {"type": [kind, "string"], "pattern": ROLE_OR_NUMBER}
    if kind == "string" and name in NUMBERS_AS_TEXT:
        relaxed["type"] = ["number", "string"]
    return relaxed


def _part(key: str, value: Any) -> Any:
    if key in ("properties", "patternProperties", "$defs"):
        return {name: _relaxed(item, name) for name, item in value.items()}
    return value if key in ("enum", "default", "description", "const") else _relaxed(value)
