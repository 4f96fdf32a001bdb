"""The answer of each question follows the rules of the plan, for every pattern of verdicts that they name."""

from itertools import product

import pandas as pd
import pytest

from clipfair.metrics.verdicts import DOES_NOT_HOLD, EQUIVALENT, HOLDS
from clipfair.plan.analysis_plan import read_analysis_plan
from clipfair.tables.questions.answers import ANSWERS, answer, finding_verdict

PLAN = read_analysis_plan()
OPEN, NO_HEADROOM = "undecided (would need 40 units)", "undecided (no headroom)"


def claims_of(question, default=OPEN, **verdicts):
    """The claims of a question; `Q1_1` gives a verdict to Q1.1."""
    named = {name.replace("_", "."): verdict for name, verdict in verdicts.items()}
    rows = [
        {
            "claim": claim.id if claim.repeated == 1 else f"{claim.id} m{number}",
            "family": family,
            "world": claim.world,
            "metric": PLAN.metrics[claim.metric].name,
            "of": claim.of if claim.repeated == 1 else f"method {number}",
            "margin": claim.margin,
            "low": -1.0,
            "high": 1.0,
            "levelling_down": False,
            "verdict": _possible(claim, named.get(claim.id, default)),
        }
        for family, claims in PLAN.questions[question].families.items()
        for claim in claims
        for number in range(claim.repeated)
    ]
    return pd.DataFrame(rows)


def _possible(claim, verdict):
    """A claim of equivalence does not hold otherwise than by being equivalent."""
    return EQUIVALENT if claim.expected == "equivalent" and verdict == HOLDS else verdict


def answered(question, default=OPEN, **verdicts):
    return answer(question, claims_of(question, default, **verdicts))


@pytest.mark.parametrize(
    ("question", "verdict"), [*product(ANSWERS, (HOLDS, EQUIVALENT, DOES_NOT_HOLD, OPEN, NO_HEADROOM))]
)
def test_every_pattern_of_one_verdict_has_a_sentence(question, verdict):
    text = answered(question, verdict)
    assert text.endswith(".")
    assert "  " not in text
    assert ".." not in text


def test_without_its_positive_control_a_question_is_undecided():
    assert answered("Q1", HOLDS, Q1_8=OPEN).startswith("Undecided: the positive control (Q1.8)")
    assert answered("Q1", HOLDS, Q1_8=DOES_NOT_HOLD, Q1_9=OPEN).startswith(
        "Undecided: the positive control (Q1.8 and Q1.9)"
    )
    assert answered("Q8", HOLDS, Q8_4=EQUIVALENT).startswith("Undecided: the positive control (Q8.4,")


def test_a_reduction_is_reported_by_method_and_world():
    text = answered("Q1", EQUIVALENT, Q1_1=HOLDS, Q1_2=OPEN, Q1_8=HOLDS, Q1_9=HOLDS)
    assert text == (
        "In part. A-FairCLIP with λ 1 reduces unfairness in gap-rates, does not in gap-score; undecided "
        "in gap-quality. FairCLIP as released does not reduce unfairness in gap-rates, gap-quality and "
        "gap-score. In the fair world A-FairCLIP changes nothing beyond the margin."
    )
    assert answered("Q1", EQUIVALENT, Q1_8=HOLDS, Q1_9=HOLDS).startswith("No. ")
    assert answered("Q1", OPEN, Q1_8=HOLDS, Q1_9=HOLDS).startswith("Undecided. ")
    assert answered("Q1", HOLDS, Q1_7=EQUIVALENT).startswith("Yes. ")


def test_groups_matter_if_one_claim_holds_and_do_not_if_all_are_equivalent():
    assert answered("Q2", EQUIVALENT, Q2_3=HOLDS).startswith("Yes: ")
    assert answered("Q2", EQUIVALENT).startswith("No: within 3 points")
    one_open = answered("Q2", EQUIVALENT, Q2_4=OPEN)
    assert one_open == "Undecided: of 6 comparisons of true with shuffled groups 5 equivalent, 1 undecided."
    assert answered("Q2", EQUIVALENT, Q2_1=DOES_NOT_HOLD).startswith("Undecided: ")


def test_the_own_note_distance_is_informative_as_the_plan_says():
    held = {"Q3_2": HOLDS, "Q3_3": HOLDS, "Q3_4": HOLDS}
    assert answered("Q3", OPEN, Q3_1=EQUIVALENT, **held).startswith(
        "Because it is the distance of another score"
    )
    informative = "The distance of the own-note score is informative"
    assert answered("Q3", OPEN, **{**held, "Q3_1": DOES_NOT_HOLD}).startswith(informative)
    assert answered("Q3", OPEN, Q3_1=EQUIVALENT, **{**held, "Q3_4": EQUIVALENT}).startswith(informative)
    assert answered("Q3", OPEN, Q3_1=OPEN, **held).startswith("Undecided: ")
    assert answered("Q3", OPEN, Q3_5=EQUIVALENT).endswith("(Q3.5 is equivalent).")


def test_selection_makes_the_gains_only_if_its_claims_hold():
    assert answered("Q4", EQUIVALENT).startswith("Selection on the test split does not make the gains")
    assert "a part of the gain of FairCLIP over CLIP-FT in AUC." in answered("Q4", EQUIVALENT, Q4_3=HOLDS)
    assert answered("Q4", OPEN, Q4_4=EQUIVALENT).startswith(
        "Whether selection on the test split makes the gains is undecided"
    )
    assert "(Q4.1)" in answered("Q4", EQUIVALENT, Q4_1=HOLDS)


def test_a_switch_makes_a_part_if_it_is_not_equivalent_and_its_interval_excludes_zero():
    claims = claims_of("Q4", EQUIVALENT)
    changed = claims["claim"].isin(["Q4.5 m3", "Q4.6 m7"])
    claims.loc[changed, ["low", "high", "verdict"]] = [0.5, 4.0, OPEN]
    excluding_zero_but_equivalent = claims["claim"] == "Q4.5 m4"
    claims.loc[excluding_zero_but_equivalent, ["low", "high"]] = [0.1, 0.6]
    text = answer("Q4", claims)
    assert (
        'Switches that make a part of them: "method 3" (AUC) and "method 7" (matched DPD); 26 of 28' in text
    )


def test_a_distance_helps_if_one_claim_holds():
    claims = claims_of("Q5", EQUIVALENT)
    assert answer("Q5", claims).startswith("No: none of the 7 distances")
    claims.loc[2, "verdict"] = HOLDS
    assert answer("Q5", claims) == "Yes: with λ chosen on validation, matched DPD is lower with method 2."
    claims.loc[2, "verdict"] = OPEN
    assert answer("Q5", claims).endswith("1 undecided.")


@pytest.mark.parametrize(
    ("finding", "first", "second", "verdict"),
    [
        ("I", HOLDS, HOLDS, HOLDS),
        ("I", HOLDS, OPEN, "undecided"),
        ("I", HOLDS, EQUIVALENT, DOES_NOT_HOLD),
        ("I", DOES_NOT_HOLD, OPEN, DOES_NOT_HOLD),
        ("VI", EQUIVALENT, EQUIVALENT, HOLDS),
        ("VI", EQUIVALENT, HOLDS, HOLDS),
        ("VI", EQUIVALENT, OPEN, "undecided"),
        ("VI", EQUIVALENT, DOES_NOT_HOLD, DOES_NOT_HOLD),
    ],
)
def test_a_finding_holds_if_all_of_its_claims_do(finding, first, second, verdict):
    others = {"II.1": OPEN, "V.1": DOES_NOT_HOLD}
    assert finding_verdict(finding, {f"{finding}.1": first, f"{finding}.2": second, **others}) == verdict


def test_the_findings_are_listed_by_verdict():
    text = answered("Q7", HOLDS, II_1=DOES_NOT_HOLD, V_2=NO_HEADROOM)
    assert text == "Of the six findings I, III, IV and VI hold; II does not hold; V is undecided."


def test_levelling_down_is_added_to_the_answer():
    claims = claims_of("Q2", HOLDS)
    claims.loc[1, "levelling_down"] = True
    assert answer("Q2", claims).endswith("Closed by levelling down: Q2.2.")
