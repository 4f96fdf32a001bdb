"""The page docs/configuration.md, written from the model of the configuration.

``python -m clipfair.plan.configuration_page`` writes it and the JSON schema docs/configuration.schema.json.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from clipfair.core.io import write_text
from clipfair.core.paths import ROOT
from clipfair.plan.configuration.root import Configuration
from clipfair.plan.configuration_schema import SCHEMA, render_schema

PAGE = ROOT / "docs/configuration.md"
HEAD = """# Configuration: every key

Written from the model (`python -m clipfair.plan.configuration_page`); do not edit it by hand.

`config.yaml` holds the settings; `config/` holds the catalogues (`catalogue/`), the grids, searches and
tables (`tables/`) and the studies (`studies/`). All files are merged: mappings key by key, anything else is
replaced. `config.yaml`, then `--configfile mine.yaml`, then `--config key=value` takes precedence. An unknown
key, a wrong value or an id that does not exist is an error of one line before any job: it names the file, the
key and the known values. [Adding an entry](extending.md) has an example of each kind.

- `like: <id>` gives an entry the keys of another one of its catalogue, where it has none itself (`name` and
  `baseline` excepted); chains are followed. A key replaces the other's whole value; of `settings`, and of the
  roles of a study, each key replaces that key alone. A contrast of a question may be like another, too.
- `$role` in grids, searches and tables stands for what the study binds it to (`studies.<study>.roles`).
- A number may be written in any way that YAML or Python reads, e.g. `1e-7` or `1.0e-7`.
- With the first line `# yaml-language-server: $schema=docs/configuration.schema.json` in a file in the
  repository's folder, editors complete and check its keys (VS Code's extension YAML, and others with its
  language server) by this [JSON schema](configuration.schema.json).
- `module:function` names a function of your own: of a file below `src/clipfair`, or of any module on the
  Python path.
"""
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}


def render() -> str:
    """The page."""
    schema = Configuration.model_json_schema()
    return "\n".join([HEAD, *_Page(schema).lines()]) + "\n"


class _Page:
    """The model's JSON schema as Markdown."""

    def __init__(self, schema: Mapping):
        self.schema = schema
        self.definitions = schema["$defs"]
        self.shown: set[str] = set()

    def lines(self) -> Iterator[str]:
        """All lines below the head: the settings, then a section for each catalogue."""
        keys = self.schema["properties"]
        catalogues = {name: found for name in keys if isinstance(found := _values(keys[name]), Mapping)}
        del catalogues["stand_ins"]  # a mapping of settings
        yield "## Settings\n"
        yield from self._table({name: keys[name] for name in keys if name not in catalogues}, ["study"])
        for name, entry in catalogues.items():
            yield f"\n## `{name}`\n\n{_text(keys[name]['description'])}\n"
            yield from self._entries(entry)

    def _entries(self, entry: Mapping) -> Iterator[str]:
        """The entries of one catalogue, each kind with its keys; what they contain follows."""
        kinds = self._members(entry)
        for name in kinds:
            yield from self._model(name, is_alone=len(kinds) == 1)

    def _model(self, name: str, *, is_alone: bool = False) -> Iterator[str]:
        self.shown.add(name)
        model = self.definitions[name]
        if not is_alone:
            yield f"\n### {self._title(name)}\n"
        if "description" in model:
            yield f"{_text(model['description'])}\n"
        keys = {key: value for key, value in model["properties"].items() if key not in ("like", "name")}
        yield from self._table(keys, model.get("required", []))
        for nested in self._nested(keys.values()):
            if nested not in self.shown:
                yield from self._model(nested)

    def _title(self, name: str) -> str:
        kind = self.definitions[name]["properties"].get("kind", {})
        values = kind.get("enum") or [kind["const"]] if "enum" in kind or "const" in kind else []
        return f"`kind: {' | '.join(values)}`" if values else f"`{name}`"

    def _table(self, keys: Mapping[str, Mapping], required: list[str]) -> Iterator[str]:
        yield "| key | value | default | |\n| --- | --- | --- | --- |"
        for key, value in keys.items():
            default = "" if key in required else f"`{json.dumps(value.get('default'), ensure_ascii=False)}`"
            cells = (f"`{key}`", self._type(value), default, _text(value.get("description", "")))
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    def _type(self, value: Mapping) -> str:
        """The type of a value in words."""
        if "$ref" in value:
            return self._title(_name(value))
        if "const" in value:
            return f"`{value['const']}`"
        if "enum" in value:
            return " or ".join(f"`{item}`" for item in value["enum"])
        for union in ("anyOf", "oneOf"):
            if union in value:
                return " or ".join(dict.fromkeys(map(self._type, value[union])))
        if value.get("type") == "array":
            inner = value.get("items", {})
            return f"list of {self._type(inner)}" if inner else "list of an id and a number"
        if value.get("type") == "object":
            inner = _values(value)
            return f"mapping to {self._type(inner)}" if isinstance(inner, Mapping) else "mapping"
        limits = [f"{sign} {value[name]:g}" for name, sign in LIMITS.items() if name in value]
        return ", ".join([TYPES.get(value.get("type", ""), "any"), *limits])

    def _members(self, entry: Mapping) -> list[str]:
        """The models that an entry may be."""
        found = entry.get("oneOf") or entry.get("anyOf") or [entry]
        return [_name(member) for member in found if "$ref" in member]

    def _nested(self, values: Any) -> list[str]:
        """The models that are named anywhere in ``values``."""
        if isinstance(values, Mapping):
            own = [_name(values)] if "$ref" in values else []
            return [*own, *self._nested([value for key, value in values.items() if key != "discriminator"])]
        if isinstance(values, str) or not hasattr(values, "__iter__"):
            return []
        return [name for value in values for name in self._nested(value)]


def _values(mapping: Mapping) -> object:
    """The values of a mapping with any keys, None of one with given keys."""
    return mapping.get("additionalProperties") or next(
        iter(mapping.get("patternProperties", {}).values()), None
    )


def _name(reference: Mapping) -> str:
    return reference["$ref"].rpartition("/")[2]


def _text(description: str) -> str:
    return " ".join(description.split())


def main() -> None:
    """Write the page and the JSON schema."""
    write_text(PAGE, render())
    write_text(SCHEMA, render_schema())


if __name__ == "__main__":
    main()
