"""The summary of a balancing or weighing on the terminal."""

from clipfair.balance.audit_page import format_value

_TOP_GROUPS = 20
_NAME_WIDTH = 60
_TOP_VIOLATIONS = 5


def summary(audited: dict, *, files: int) -> list[str]:
    """The lines of a summary of an audit of :mod:`clipfair.balance.audit`."""
    rate, weights = audited["rate"], audited["weights"]
    kept = round(rate["realised"] * audited["examples"])
    rows = f"{audited['examples']:,} in {files} file{'s' if files > 1 else ''}"
    if "patterns" in audited:
        rows += f", {audited['patterns']:,} distinct patterns"
    lines = [
        _fact("rows", rows),
        _fact("groups, labels", f"{len(audited['groups'])}, {len(audited['labels'])}"),
        _fact("mean weight", f"{weights['mean']:.6f} (rate eta {weights['eta']:.6f})"),
        _fact("largest weight", f"{weights['largest']:.4f}"),
        _fact("kept", f"{kept:,} rows, {rate['realised']:.2%} (expected {rate['target']:.2%})"),
        _fact("effective sample size", _effective(weights)),
    ]
    if weights["exceeding"]:
        lines.append(
            _fact(
                "",
                f"{weights['exceeding']:,} weights exceed {weights['certainly_kept']:.4f}: kept for certain",
            )
        )
    return [*lines, "", *_biases(audited), "", *_constraints(audited)]


def _effective(weights: dict) -> str:
    if not weights["effective_examples"]:
        return "0: all weights are 0"
    return f"{weights['effective_examples']:,.0f} rows; design effect {weights['design_effect']:.4f}"


def _biases(audited: dict) -> list[str]:
    """The biases, and the share of each group, in each version of the data."""
    versions = list(audited["bias"])
    lines = [_row("", ["target", *versions])]
    for kind in ("representation_bias", "association_bias"):
        values = [format_value(audited["bias"][version][kind]) for version in versions]
        lines.append(_row(kind.replace("_", " "), ["", *values]))
    for row in audited["groups"][:_TOP_GROUPS]:
        values = [format_value(row[name]) for name in ("target", *versions)]
        name = format_value(row["group"])
        name = name if len(name) <= _NAME_WIDTH else f"{name[:_NAME_WIDTH]}..."
        lines.append(_row(f"share of {name}", values))
    left_out = len(audited["groups"]) - _TOP_GROUPS
    return lines + ([f"... {left_out} more groups in audit.md"] if left_out > 0 else [])


def _constraints(audited: dict) -> list[str]:
    """The violated constraints and the certificate of a balancing; none for weighed examples."""
    if "certificate" not in audited:
        return []
    certificate, violated = audited["certificate"], audited["unsatisfied"]
    lines = [
        _fact(
            "violated constraints",
            f"{len(violated)} of {certificate['constraints']}, at V = {audited['weights']['penalty']:g}",
        )
    ]
    worst = sorted(violated, key=lambda row: -row["violation"])[:_TOP_VIOLATIONS]
    lines += [_fact("", f"{row['constraint']} by {row['violation']:.2g}") for row in worst]
    return [*lines, _fact("relative duality gap", f"{certificate['relative_gap']:.1e}")]


def _fact(name: str, text: str) -> str:
    return f"{name:<24}{text}".rstrip()


def _row(name: str, values: list[str]) -> str:
    return f"{name:<40}" + "".join(f"{value:>11}" for value in values)
