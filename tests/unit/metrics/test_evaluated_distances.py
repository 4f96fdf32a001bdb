import pytest

from clipfair.core.errors import UserError
from clipfair.metrics.distances import check_distance
from clipfair.metrics.evaluated_distances import EVALUATED, EXACT, named_distance


def test_a_name_has_a_metric_and_settings():
    assert named_distance("wasserstein") == ("distance_wasserstein", EXACT)
    assert named_distance("distance_wasserstein") == ("distance_wasserstein", EXACT)


def test_a_distance_of_ones_own_is_named_by_its_function():
    expected = ("distance_gap", {"kind": "own_package.gaps:gap"})
    assert named_distance("own_package.gaps:gap") == expected


@pytest.mark.parametrize("metric", EVALUATED)
def test_every_evaluated_distance_can_be_measured(metric):
    check_distance(EVALUATED[metric], where=metric)


def test_an_unknown_name_is_an_error_of_one_line():
    with pytest.raises(UserError, match=r"unknown distance 'wasserstain' \(did you mean 'wasserstein'\?\)"):
        named_distance("wasserstain")
