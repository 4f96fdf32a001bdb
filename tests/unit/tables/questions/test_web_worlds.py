"""What is planted in the pairs of Q7 is found again in their truth."""

import pytest

from clipfair.data.embedded.generate import generate_world
from clipfair.data.embedded.web_settings import WebSettings
from clipfair.plan.analysis_plan import read_analysis_plan
from clipfair.tables.questions import worlds
from clipfair.tables.questions.web_worlds import ASSOCIATION, MEN, OWNERS, web_planted, web_settings

PLAN = read_analysis_plan()
PAIRS = 3000
# About 1,650 people and 400 owners: five standard errors of a share, or of a difference of small shares.
TOLERANCES = {MEN: 0.062, OWNERS: 0.12, ASSOCIATION: 0.035}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("draws")
    raw = {}
    for world, settings in web_settings(PLAN).items():
        small = settings.model_copy(update={"pairs": PAIRS, "shard_size": PAIRS})
        for draw in range(2):
            name = f"{world}-draw-{draw}"
            raw[name] = str(folder / name)
            generate_world("web", small, draw, raw[name])
    return worlds.build({}, raw)


def test_what_is_planted_is_recovered(built):
    frame, _ = built
    draws = frame[frame["draw"] != "all"]
    assert set(draws["quantity"]) == set(TOLERANCES)
    for row in draws.itertuples():
        assert row.recovered == pytest.approx(row.planted, abs=TOLERANCES[row.quantity]), row


def test_the_world_has_both_biases_and_its_control_none():
    world, control = (web_planted(settings) for settings in web_settings(PLAN).values())
    assert world[OWNERS, "all"] > world[MEN, "all"]
    assert min(abs(value) for (quantity, _), value in world.items() if quantity == ASSOCIATION) > 0
    assert (control[OWNERS, "all"], control[MEN, "all"]) == (0.5, 0.5)
    assert {value for (quantity, _), value in control.items() if quantity == ASSOCIATION} == {0}


def test_an_association_is_that_of_the_rates():
    """A nurse: 0.5% of men and 9% of women."""
    planted = web_planted(WebSettings(frequency=0.5))
    assert planted[ASSOCIATION, "nurse"] == pytest.approx(0.5 * (0.005 - 0.090))


def test_the_page_says_what_is_unfair(built):
    _, page = built
    control = page.partition("## web-unbiased")[2]
    assert "Unfairness: none is planted." in control
    assert "representation bias" in page.partition("## web-unbiased")[0]


def test_the_interval_of_the_mean_contains_it(built):
    frame, _ = built
    means = frame[frame["draw"] == "all"]
    assert len(means) == 2 * 14
    assert ((means["low"] <= means["recovered"]) & (means["recovered"] <= means["high"])).all()
