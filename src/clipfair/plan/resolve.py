"""From the merged files to the configuration of one study: `like`, the study's grids, its roles."""

from collections.abc import Callable, Mapping
from typing import Any

from clipfair.core.errors import unknown
from clipfair.core.settings import Violation
from clipfair.plan.configuration.types import ROLE

CATALOGUES = (
    "generated",
    "annotations",
    "balances",
    "models",
    "recipes",
    "methods",
    "evaluations",
    "tasks",
    "classifiers",
    "mitigations",
    "grids",
    "searches",
    "tables",
)
# What an entry does not take over from the one that it is like.
OWN = ("like", "name")


def resolve(config: Mapping) -> dict:
    """The configuration of the study that ``config`` chooses, without `like`, roles and grids of studies.

    Roles are put in. Where the study's tables do not lead, roles that the study does not have stay.

    Raises
    ------
    Violation
        If `like` or a role leads nowhere.
    """
    study = _study(config)
    resolved = {**config, "grids": _with_own_grids(config, study)}
    for catalogue in CATALOGUES:
        if isinstance(resolved.get(catalogue), Mapping):
            resolved[catalogue] = resolve_like(resolved[catalogue], catalogue)
    roles = study.get("roles") or {}
    tables = _bind(resolved.get("tables"), study.get("tables"), roles, config, "tables")
    used = [tables[name] for name in study.get("tables") or () if _is_mapping(tables, name)]
    for catalogue in ("grids", "searches"):
        names = [name for table in used for name in table.get(catalogue) or ()]
        resolved[catalogue] = _bind(resolved.get(catalogue), names, roles, config, catalogue)
    return {**resolved, "tables": tables}


def resolve_like(entries: Mapping[str, Any], catalogue: str) -> dict[str, Any]:
    """Each entry with the keys of the one that it is like, where it has none; chains are followed.

    Raises
    ------
    Violation
        If there is no such entry, or a chain comes back to where it started.
    """

    def follow(name: str, chain: tuple[str, ...]) -> Mapping:
        entry = entries[name]
        if not isinstance(entry, Mapping) or "like" not in entry:
            return entry
        key, like = (catalogue, name, "like"), entry["like"]
        if like in chain:
            raise Violation(
                key, f"{' is like '.join([*chain, like])}: a circle; give one of them its own keys"
            )
        if not _is_mapping(entries, like):
            raise Violation(key, unknown(f"entry of {catalogue}", str(like), entries))
        taken = follow(like, (*chain, like))
        return {
            **{name: value for name, value in taken.items() if name not in OWN},
            **{name: value for name, value in entry.items() if name != "like"},
        }

    return {name: follow(name, (name,)) for name in entries}


def _is_mapping(entries: Mapping, name: object) -> bool:
    return isinstance(name, str) and isinstance(entries.get(name), Mapping)


def _study(config: Mapping) -> Mapping:
    """The chosen study as it is written; empty where it is not a mapping, which the model says better."""
    studies, name = config.get("studies"), config.get("study")
    if not isinstance(studies, Mapping) or not isinstance(name, str):
        return {}
    if name not in studies:
        raise Violation(("study",), unknown("study", name, studies))
    return studies[name] if isinstance(studies[name], Mapping) else {}


def _with_own_grids(config: Mapping, study: Mapping) -> dict:
    grids = dict(config.get("grids") or {})
    for name, own in (study.get("grids") or {}).items():
        grids[name] = {**grids[name], **own} if _is_mapping(grids, name) and isinstance(own, Mapping) else own
    return grids


def _bind(entries: Any, names: Any, roles: Mapping, config: Mapping, catalogue: str) -> dict:
    """``entries`` with the roles put in; those of ``names`` must not have others than the study's."""
    if not isinstance(entries, Mapping):
        return entries
    chosen = set(filter(lambda name: isinstance(name, str), names or ()))

    def bound(name: str, entry: Any) -> Any:
        def value_of(role: str) -> Any:
            if role not in roles and name not in chosen:
                return f"{ROLE}{role}"
            if role not in roles:
                study = config["study"]
                raise Violation(
                    (catalogue, name), unknown(f"role of study {study}", f"${role}", _spelled(roles))
                )
            return roles[role]

        return _substitute(entry, value_of)

    return {name: bound(name, entry) for name, entry in entries.items()}


def _spelled(roles: Mapping) -> list[str]:
    return [f"{ROLE}{role}" for role in roles]


def _substitute(value: Any, value_of: Callable[[str], Any]) -> Any:
    """``value`` with each `$role` replaced, at any depth; within a list, by all ids of the role."""
    if isinstance(value, Mapping):
        return {key: _substitute(item, value_of) for key, item in value.items()}
    if isinstance(value, list):
        found = []
        for item in value:
            new = _substitute(item, value_of)
            found += new if _is_role(item) and isinstance(new, list) else [new]
        return found
    return value_of(value.removeprefix(ROLE)) if _is_role(value) else value


def _is_role(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(ROLE)
