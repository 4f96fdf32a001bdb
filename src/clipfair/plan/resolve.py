"""From the merged files to the configuration of one study: `like`, the study's grids, its roles."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from clipfair.core.errors import unknown
from clipfair.core.settings import Key, Violation, wrong_type
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
OWN = ("like", "name", "baseline")
# A key whose own keys are taken over one by one; those that the entry has come last.
MERGED = "settings"
# Settings of a table of a question, of which one may be like another.
CONTRASTS = "contrasts"


def resolve(config: Mapping) -> dict:
    """The configuration of the study that ``config`` chooses, without `like`, roles and grids of studies.

    Roles are put in. Where the study's tables do not lead, roles that the study does not have stay.

    Raises
    ------
    Violation
        If a catalogue, an entry or a part of the study is no mapping, or `like` or a role leads nowhere.
    """
    config = {**config, "studies": _studies(config)}
    study = _study(config)
    _check_shape(config, study)
    resolved = {**config, "grids": _with_own_grids(config, study)}
    for catalogue in CATALOGUES:
        resolved[catalogue] = resolve_like(resolved.get(catalogue, {}), catalogue)
    resolved["tables"] = {name: _like_contrasts(name, table) for name, table in resolved["tables"].items()}
    roles = study.get("roles", {})
    tables = _bind(resolved["tables"], study.get("tables"), roles, config, "tables")
    used = [tables[name] for name in _names(study.get("tables")) if name in tables]
    for catalogue in ("grids", "searches"):
        names = [name for table in used for name in _names(table.get(catalogue))]
        resolved[catalogue] = _bind(resolved[catalogue], names, roles, config, catalogue)
    return {**resolved, "tables": tables}


def resolve_like(entries: Mapping[str, Any], catalogue: str, *, within: Key = ()) -> dict[str, Any]:
    """Each entry with the keys of the one that it is like, where it has none; chains are followed.

    Of ``settings``, the keys are taken over one by one. ``within`` is the path to the catalogue.

    Raises
    ------
    Violation
        If there is no such entry, or a chain comes back to where it started.
    """

    def follow(name: str, chain: tuple[str, ...]) -> Mapping:
        entry = entries[name]
        if "like" not in entry:
            return entry
        key, like = (*within, catalogue, name, "like"), entry["like"]
        if like in chain:
            raise Violation(
                key, f"{' is like '.join([*chain, like])}: a circle; give one of them its own keys"
            )
        if not isinstance(like, str) or like not in entries:
            known = [str(other) for other in entries if other != name]
            raise Violation(key, unknown(f"entry of {catalogue}", str(like), known))
        taken = {key: value for key, value in follow(like, (*chain, like)).items() if key not in OWN}
        own = {key: value for key, value in entry.items() if key != "like"}
        return {**taken, **own, **_merged(taken.get(MERGED), own.get(MERGED))}

    return {name: follow(name, (name,)) for name in entries}


def _like_contrasts(name: str, table: Mapping) -> Mapping:
    """A table in whose settings each contrast has the parts of the one that it is like."""
    settings = table.get(MERGED)
    contrasts = settings.get(CONTRASTS) if isinstance(settings, Mapping) else None
    if not (isinstance(contrasts, Mapping) and all(isinstance(one, Mapping) for one in contrasts.values())):
        return table
    resolved = resolve_like(contrasts, CONTRASTS, within=("tables", name, MERGED))
    return {**table, MERGED: {**settings, CONTRASTS: resolved}}


def _merged(taken: Any, own: Any) -> dict[str, dict]:
    """The key of settings that are those of two entries together; nothing if they are not mappings."""
    if not (isinstance(taken, Mapping) and isinstance(own, Mapping)):
        return {}
    return {MERGED: {**{key: value for key, value in taken.items() if key not in own}, **own}}


def check_roles(config: Mapping, contents: Iterable[Mapping]) -> None:
    """Check that a grid, a search or a table names each role that a study binds, in at least one file.

    It need not be one that the study builds, and a later file may replace it: a study may be narrowed to some
    of its tables, and a list that has a role replaced.

    Raises
    ------
    Violation
        The first role that nothing names.
    """
    places = [
        file.get(catalogue) for file in contents for catalogue in ("grids", "searches", "tables", "studies")
    ]
    known = set().union(*map(_roles_in, places))
    for name, study in config["studies"].items():
        for role in study.get("roles", {}):
            if role not in known:
                message = f"{unknown('role', str(role), known)}; no grid, search or table names it"
                raise Violation(("studies", name, "roles", role), message)


def _roles_in(value: Any) -> set[str]:
    """The roles that are named anywhere in ``value``."""
    if isinstance(value, Mapping | list):
        return set().union(*map(_roles_in, value.values() if isinstance(value, Mapping) else value))
    return {value.removeprefix(ROLE)} if _is_role(value) else set()


def _studies(config: Mapping) -> dict[str, Any]:
    """Every study with the parts of the one that it is like, where it has none, and with its roles."""
    studies = config.get("studies", {})
    _check_entries(studies, ("studies",))
    resolved = resolve_like(studies, "studies")

    def roles_of(name: str) -> Mapping:
        own = studies[name].get("roles", {})
        _check_mapping(own, ("studies", name, "roles"))
        return {**roles_of(studies[name]["like"]), **own} if "like" in studies[name] else own

    return {name: {**study, "roles": roles_of(name)} for name, study in resolved.items()}


def _study(config: Mapping) -> Mapping:
    """The chosen study."""
    studies, name = config["studies"], config.get("study")
    if name is None:
        raise Violation(("study",), f"no value; known: {', '.join(sorted(map(str, studies)))}")
    if not isinstance(name, str):
        raise Violation(("study",), wrong_type(name, "text"))
    if name not in studies:
        raise Violation(("study",), unknown("study", name, map(str, studies)))
    return studies[name]


def _check_shape(config: Mapping, study: Mapping) -> None:
    """Check that the entries that this module reads as mappings are mappings; the models check the values."""
    for catalogue in CATALOGUES:
        _check_entries(config.get(catalogue, {}), (catalogue,))
    _check_entries(study.get("grids", {}), ("studies", config["study"], "grids"))


def _check_entries(entries: Any, key: Key) -> None:
    _check_mapping(entries, key)
    for name, entry in entries.items():
        _check_mapping(entry, (*key, name))


def _check_mapping(value: Any, key: Key) -> None:
    if not isinstance(value, Mapping):
        raise Violation(key, wrong_type(value, "a mapping"))


def _names(value: Any) -> list[str]:
    """The ids in a list of the configuration; the models refuse anything else."""
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _with_own_grids(config: Mapping, study: Mapping) -> dict:
    grids = dict(config.get("grids", {}))
    for name, own in study.get("grids", {}).items():
        grids[name] = {**grids.get(name, {}), **own}
    return grids


def _bind(entries: Mapping, names: Any, roles: Mapping, config: Mapping, catalogue: str) -> dict:
    """``entries`` with the roles put in; those of ``names`` must not have others than the study's."""
    chosen = set(_names(names))

    def bound(name: str, entry: Any) -> Any:
        def value_of(role: str) -> Any:
            if role not in roles and name not in chosen:
                return f"{ROLE}{role}"
            if role not in roles:
                study = config["study"]
                message = unknown(f"role of study {study}", f"{ROLE}{role}", _spelled(roles))
                raise Violation((catalogue, name), f"{message}; bind {role} in studies.{study}.roles")
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
