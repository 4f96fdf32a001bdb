"""The page audit.md: the audit of a balancing as text and tables."""

from collections.abc import Sequence

_TOP_PAIRS = 20


def markdown(audited: dict) -> str:
    """The page of an audit, with the twenty pairs of the largest association before balancing."""
    versions = list(audited["bias"])
    lines = ["# Audit of the balancing", "", *_summary(audited), ""]
    lines += _rows_of_table(
        ["bias", *versions],
        [
            [kind.replace("_", " "), *(audited["bias"][version][kind] for version in versions)]
            for kind in ("representation_bias", "association_bias")
        ],
    )
    for heading, part in (("modality", "by_modality"), ("attribute", "by_attribute")):
        if part in audited:
            lines += _section(f"By {heading}", ["measure", *versions], _family_rows(audited[part], versions))
    groups = [
        [row["group"], row["target"], *(row[version] for version in versions)] for row in audited["groups"]
    ]
    lines += _section("Groups", ["group", "target", *versions], groups)
    largest = sorted(audited["pairs"], key=lambda pair: -abs(pair["before"] or 0.0))[:_TOP_PAIRS]
    lines += _section(
        "Largest associations before",
        ["group", "label", *versions],
        [[pair["group"], pair["label"], *(pair[version] for version in versions)] for pair in largest],
    )
    worst = sorted(audited.get("unsatisfied", []), key=lambda row: -row["violation"])[:_TOP_PAIRS]
    lines += _section(
        "Largest violations of constraints that could not be satisfied",
        ["constraint", "violation"],
        [[row["constraint"], row["violation"]] for row in worst],
    )
    lines += _section(
        "Left out: constant columns, which cannot be balanced",
        ["column", "set"],
        [[row["column"], row["set"]] for row in audited.get("dropped", [])],
    )
    return "\n".join(lines) + "\n"


def _summary(audited: dict) -> list[str]:
    """The paragraphs above the tables: the number of examples, the rate and M4's certificate."""
    counted = f"{audited['examples']} examples"
    counted += f", {audited['patterns']} distinct patterns." if "patterns" in audited else "."
    if "rate" in audited:
        rate = audited["rate"]
        counted += (
            f" Kept {rate['realised']:.6f} of them; target {rate['target']:.6f}, "
            f"standard deviation {rate['standard_deviation']:.6f}."
        )
    humans = audited.get("humans", {})
    if humans:
        counted += (
            f" With humans: {', '.join(f'{name} {format_value(share)}' for name, share in humans.items())}."
        )
    lines = [counted]
    if "weights" in audited:
        weights = audited["weights"]
        lines += [
            "",
            f"Weights: mean {weights['mean']:.6f}, largest {weights['largest']:.6f}; effective sample size "
            f"{weights['effective_examples']:.0f}.",
        ]
    lines += [line for note in audited.get("notes", []) for line in ("", note)]
    if "certificate" in audited:
        certificate = audited["certificate"]
        lines += [
            "",
            f"Certificate: objective {certificate['primal']:.6g}, duality gap {certificate['gap']:.3g} "
            f"(relative {certificate['relative_gap']:.3g}), "
            f"largest violation {certificate['largest_violation']:.3g}.",
            f"{len(audited['binding'])} constraints bind, "
            f"{len(audited['unsatisfied'])} could not be satisfied.",
        ]
    return lines


def _family_rows(part: dict, versions: Sequence[str]) -> list[list]:
    rows = [
        [f"representation bias of {row['groups']}", *(row[version] for version in versions)]
        for row in part["representation"]
    ]
    for kind in ("association_bias", "correlation_max", "correlation_median"):
        rows += [
            [f"{kind.replace('_', ' ')}, {row['groups']} x {row['labels']}", *row[kind].values()]
            for row in part["association"]
        ]
    return rows


def _section(heading: str, head: list[str], rows: list[list]) -> list[str]:
    return ["", f"## {heading}", "", *_rows_of_table(head, rows)] if rows else []


def format_value(value: object) -> str:
    """A value with four decimals, or the word undefined; text in one line."""
    if value is None:
        return "undefined"
    return f"{value:.4f}" if isinstance(value, float) else " ".join(str(value).split()).replace("|", "\\|")


def _rows_of_table(head: list[str], rows: list[list]) -> list[str]:
    lines = [head, ["---"] * len(head), *([format_value(value) for value in row] for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]
