"""The answer to each question in a sentence or two, made from the verdicts on its claims.

Each function follows what the analysis plan says would refute the hypothesis (`refuted`). A verdict that is
neither ``holds``, ``does not hold`` nor ``equivalent within the margin`` is undecided.
"""

from collections.abc import Callable, Iterable, Mapping

import pandas as pd

from clipfair.metrics.verdicts import DOES_NOT_HOLD, EQUIVALENT, HOLDS, UNDECIDED
from clipfair.tables.common.findings import IDENTICAL, combine_conclusions, conclude

REFUTED = (EQUIVALENT, DOES_NOT_HOLD)
FINDINGS = ("I", "II", "III", "IV", "V", "VI")


def answer(question: str, claims: pd.DataFrame) -> str:
    """The answer to a question.

    Parameters
    ----------
    question
        Its id, ``Q1`` to ``Q8``.
    claims
        The result of :func:`~.claims.judge`, also read from a file.
    """
    verdicts = {row.claim: _decided(row.verdict) for row in claims.itertuples()}
    if claims["verdict"].str.startswith("not judged").any():
        return (
            f"Not answered: {claims['verdict'].iloc[0].removeprefix('not judged ').strip('()')}, a trial run."
        )
    text = ANSWERS[question](verdicts, claims)
    levelled = claims.loc[claims["levelling_down"].astype(bool), "claim"]
    return f"{text} Closed by levelling down: {_and(levelled)}." if len(levelled) else text


def _decided(verdict: str) -> str:
    if verdict == IDENTICAL:
        return EQUIVALENT
    return verdict if verdict in (HOLDS, *REFUTED) else UNDECIDED


def _lead(verdicts: Iterable[str]) -> str:
    """``Yes`` if all hold, ``In part`` if some do, ``No`` if all are refuted, else ``Undecided``."""
    found = list(verdicts)
    if HOLDS in found:
        return "Yes" if set(found) == {HOLDS} else "In part"
    return "No" if set(found) <= set(REFUTED) else "Undecided"


def _and(names: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def _counts(verdicts: Iterable[str]) -> str:
    """``2 hold, 1 undecided``."""
    words = {HOLDS: "hold", DOES_NOT_HOLD: "do not hold", EQUIVALENT: "equivalent", UNDECIDED: "undecided"}
    found = list(verdicts)
    return ", ".join(f"{found.count(verdict)} {word}" for verdict, word in words.items() if verdict in found)


def _by_place(subject: str, found: Mapping[str, str]) -> str:
    """``A reduces it in x, not in y; undecided in z.`` from the verdict in each place."""
    groups = {
        "reduces unfairness in": [place for place, verdict in found.items() if verdict == HOLDS],
        "does not in": [place for place, verdict in found.items() if verdict in REFUTED],
    }
    parts = [f"{verb} {_and(places)}" for verb, places in groups.items() if places]
    undecided = [place for place, verdict in found.items() if verdict == UNDECIDED]
    if not parts:
        return f"{subject} is undecided in {_and(undecided)}."
    if parts[0].startswith("does not"):
        parts[0] = parts[0].replace("does not in", "does not reduce unfairness in", 1)
    rest = f"; undecided in {_and(undecided)}" if undecided else ""
    return f"{subject} {', '.join(parts)}{rest}."


def _reduction(verdicts: Mapping[str, str], claims: pd.DataFrame) -> str:
    """Q1: the positive controls decide whether a reduction could be seen at all."""
    failed = [claim for claim in ("Q1.8", "Q1.9") if verdicts[claim] != HOLDS]
    if failed:
        return f"Undecided: the positive control ({_and(failed)}) does not hold here."
    worlds = claims.set_index("claim")["world"]
    methods = {
        "A-FairCLIP with λ 1": ("Q1.1", "Q1.2", "Q1.3"),
        "FairCLIP as released": ("Q1.4", "Q1.5", "Q1.6"),
    }
    lead = _lead(verdicts[name] for names in methods.values() for name in names)
    sentences = [
        _by_place(subject, {worlds[name]: verdicts[name] for name in names})
        for subject, names in methods.items()
    ]
    negative = {
        EQUIVALENT: "changes nothing beyond the margin",
        DOES_NOT_HOLD: "changes matched DPD beyond the margin, too",
        UNDECIDED: "is undecided",
    }
    return f"{lead}. {' '.join(sentences)} In the fair world A-FairCLIP {negative[verdicts['Q1.7']]}."


def _groups(verdicts: Mapping[str, str], claims: pd.DataFrame) -> str:
    """Q2: one claim that holds is enough for yes, all must be equivalent for no."""
    held = [name for name, verdict in verdicts.items() if verdict == HOLDS]
    if held:
        return (
            f"Yes: with true groups the loss lowers matched DPD more than with shuffled ones ({_and(held)})."
        )
    if set(verdicts.values()) == {EQUIVALENT}:
        margin = claims["margin"].iloc[0]
        return (
            f"No: within {margin:g} points, true and shuffled groups have the same effect in all "
            f"{len(verdicts)} comparisons, so the loss does not act through the groups."
        )
    counts = _counts(verdicts.values())
    return f"Undecided: of {len(verdicts)} comparisons of true with shuffled groups {counts}."


def _distances(verdicts: Mapping[str, str], _: pd.DataFrame) -> str:
    """Q3: the own-note distance against the margin's."""
    if verdicts["Q3.1"] == DOES_NOT_HOLD or verdicts["Q3.4"] == EQUIVALENT:
        text = "The distance of the own-note score is informative on selection rates, too."
    elif verdicts["Q3.1"] == EQUIVALENT and {verdicts[f"Q3.{n}"] for n in (2, 3, 4)} == {HOLDS}:
        text = (
            "Because it is the distance of another score: that of the own-note score does not go with "
            "selection rates, that of the decision margin does."
        )
    else:
        counts = _counts(verdicts[f"Q3.{n}"] for n in (1, 2, 3, 4))
        text = f"Undecided: of the four claims about distances {counts}."
    constructive = {
        HOLDS: "The loss on the decision margin lowers matched DPD more than the other.",
        EQUIVALENT: "The choice of the score is not what keeps the loss from working (Q3.5 is equivalent).",
        DOES_NOT_HOLD: "The loss on the decision margin lowers matched DPD less than the other.",
        UNDECIDED: "Whether a loss on the decision margin works better is undecided (Q3.5).",
    }
    return f"{text} {constructive[verdicts['Q3.5']]}"


def _selection(verdicts: Mapping[str, str], claims: pd.DataFrame) -> str:
    """Q4: selection on the test split, and every switch of the released code."""
    gains = {"AUC": verdicts["Q4.3"], "DPD": verdicts["Q4.4"]}
    made = [metric for metric, verdict in gains.items() if verdict == HOLDS]
    if made:
        text = (
            f"Selection on the test split makes a part of the gain of FairCLIP over CLIP-FT in {_and(made)}."
        )
    elif set(gains.values()) <= set(REFUTED):
        text = "Selection on the test split does not make the gains of FairCLIP over CLIP-FT."
    else:
        text = (
            f"Whether selection on the test split makes the gains is undecided ({_counts(gains.values())})."
        )
    higher = [name for name in ("Q4.1", "Q4.2") if verdicts[name] == HOLDS]
    if higher:
        text += f" It raises the reported AUC by itself ({_and(higher)})."
    switches = claims[claims["family"] == "switches"]
    excludes_zero = (switches["low"] > 0) | (switches["high"] < 0)
    effective = switches[excludes_zero & (switches["verdict"].map(_decided) != EQUIVALENT)]
    metrics = effective.groupby("of", sort=False)["metric"].agg(", ".join)
    named = [f'"{switch}" ({changed})' for switch, changed in metrics.items()]
    equivalent = int((switches["verdict"].map(_decided) == EQUIVALENT).sum())
    rest = f"{equivalent} of {len(switches)} comparisons of a switch are equivalent within the margin"
    part = (
        f"Switches that make a part of them: {_and(named)}" if named else "No switch is seen to make a part"
    )
    return f"{text} {part}; {rest}."


def _any_distance(verdicts: Mapping[str, str], claims: pd.DataFrame) -> str:
    """Q5: one distance that helps is enough."""
    held = [row.of for row in claims.itertuples() if verdicts[row.claim] == HOLDS]
    if held:
        return f"Yes: with λ chosen on validation, matched DPD is lower with {'; '.join(held)}."
    if set(verdicts.values()) <= set(REFUTED):
        return f"No: none of the {len(verdicts)} distances lowers matched DPD by more than the margin."
    return (
        f"Undecided: of {len(verdicts)} distances with λ chosen on validation, {_counts(verdicts.values())}."
    )


def _small_data(verdicts: Mapping[str, str], _: pd.DataFrame) -> str:
    """Q6: size, balance, and the loss on little data."""
    texts = {
        "Q6.1": {
            HOLDS: "On 10% of the data matched DPD varies more.",
            EQUIVALENT: "Size does not matter within the margin for how much matched DPD varies.",
            DOES_NOT_HOLD: "On 10% of the data matched DPD varies less.",
            UNDECIDED: "Whether matched DPD varies more on 10% of the data is undecided.",
        },
        "Q6.2": {
            HOLDS: "Imbalance raises matched DPD.",
            EQUIVALENT: "Balance does not matter within the margin.",
            DOES_NOT_HOLD: "Imbalance lowers matched DPD.",
            UNDECIDED: "Whether imbalance raises matched DPD is undecided.",
        },
        "Q6.3": {
            HOLDS: "The loss lowers matched DPD on 10% of the data.",
            EQUIVALENT: "The loss changes nothing beyond the margin on 10% of the data.",
            DOES_NOT_HOLD: "The loss raises matched DPD on 10% of the data.",
            UNDECIDED: "Whether the loss lowers matched DPD on 10% of the data is undecided.",
        },
    }
    return " ".join(sentences[verdicts[claim]] for claim, sentences in texts.items())


def finding_verdict(finding: str, verdicts: Mapping[str, str]) -> str:
    """The verdict on a finding of CLIP the Bias from those on its claims, such as ``VI.1``."""
    found = [verdict for claim, verdict in verdicts.items() if claim.startswith(f"{finding}.")]
    # That balancing costs nothing supports VI.
    return combine_conclusions([conclude(verdict, or_equivalent=finding == "VI") for verdict in found])


def _findings(verdicts: Mapping[str, str], _: pd.DataFrame) -> str:
    """Q7: the six findings of CLIP the Bias."""
    of_finding = {finding: finding_verdict(finding, verdicts) for finding in FINDINGS}
    words = {HOLDS: "hold", DOES_NOT_HOLD: "do not hold", UNDECIDED: "are undecided"}
    parts = []
    for verdict, word in words.items():
        names = [finding for finding, found in of_finding.items() if found == verdict]
        if names:
            verb = {"hold": "holds", "do not hold": "does not hold", "are undecided": "is undecided"}[word]
            parts.append(f"{_and(names)} {verb if len(names) == 1 else word}")
    return f"Of the six findings {'; '.join(parts)}."


def _faces(verdicts: Mapping[str, str], _: pd.DataFrame) -> str:
    """Q8: as Q1 and Q2 on real faces."""
    control = verdicts["Q8.4"] == HOLDS
    effects = {"A-FairCLIP with λ 1": verdicts["Q8.1"], "M4 weights": verdicts["Q8.3"]}
    if control:
        words = {HOLDS: "matched DPD is lower", UNDECIDED: "undecided"}
        parts = [
            f"{subject}: {words.get(verdict, 'matched DPD is not lower')}"
            for subject, verdict in effects.items()
        ]
        text = f"{_lead(effects.values())}. {'; '.join(parts)}."
    else:
        text = "Undecided: the positive control (Q8.4, group thresholds) does not hold here."
    groups = {
        HOLDS: "True groups lower matched DPD more than shuffled ones.",
        EQUIVALENT: "True and shuffled groups are equivalent within the margin.",
        DOES_NOT_HOLD: "True groups lower matched DPD less than shuffled ones.",
        UNDECIDED: "Whether true groups act otherwise than shuffled ones is undecided.",
    }
    return f"{text} {groups[verdicts['Q8.2']]}"


ANSWERS: Mapping[str, Callable[[Mapping[str, str], pd.DataFrame], str]] = {
    "Q1": _reduction,
    "Q2": _groups,
    "Q3": _distances,
    "Q4": _selection,
    "Q5": _any_distance,
    "Q6": _small_data,
    "Q7": _findings,
    "Q8": _faces,
}
