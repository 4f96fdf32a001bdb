import pytest

from clipfair.core.errors import UserError
from clipfair.core.settings import parse_settings
from clipfair.plan.mitigation_settings import MITIGATION_SETTINGS, ClassifierSettings, parse_mitigation


@pytest.mark.parametrize("kind", MITIGATION_SETTINGS)
def test_every_setting_has_a_default_and_a_description(kind):
    assert parse_mitigation(kind, {}) == MITIGATION_SETTINGS[kind]()
    assert all(field.description for field in MITIGATION_SETTINGS[kind].model_fields.values())


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("magic", {}, "unknown mitigation method 'magic'; known: baseline, correlation_remover"),
        ("baseline", {"gamma": 1}, "baseline: unknown setting 'gamma'; known: split_seed"),
        ("baseline", {"split_seed": -1}, "split_seed: -1 should be greater than or equal to 0"),
        ("correlation_remover", {"alpha": 2}, "alpha: 2 should be less than or equal to 1"),
        ("reduction", {"difference_bound": 0}, "difference_bound: 0 should be greater than 0"),
        ("reduction", {"eps": -1}, "eps: -1 should be greater than 0"),
        ("reduction", {"max_iter": 0}, "max_iter: 0 should be greater than or equal to 1"),
        ("rto", {"gama": 1}, "rto: unknown setting 'gama' \\(did you mean 'gamma'\\?\\)"),
        ("rto", {"gamma": "wide"}, "gamma: 'wide' should be a valid number"),
        ("rto", {"gamma": 0}, "gamma: 0 should be greater than 0"),
        ("rto", {"eps": -1}, "eps: -1 should be"),
        ("rto", {"rho": "max"}, "rho: 'max' should be .* 'mean'"),
        ("rto", {"rho": 2}, "rho: 2 should be less than or equal to 1"),
        ("threshold_optimizer", {"predict_method": "auto"}, "'auto' should be 'predict' or 'predict_proba'"),
        ("m4", {"use": "drop"}, "use: 'drop' should be 'subsample' or 'reweigh'"),
        ("m4", {"target": "median"}, "target: 'median' should be 'data' or 'uniform'"),
        ("m4", {"rate": "all"}, "rate: 'all' should be"),
        ("m4", {"rate": 1.5}, "below the rate"),
        ("m4", {"penalty": 0}, "penalty: 0 should be greater than 0"),
        ("m4", {"max_weight": float("inf")}, "finite max_weight"),
        ("m4", {"max_weight": float("inf"), "rate": 0.9}, "subsample needs a finite max_weight"),
    ],
)
def test_wrong_settings_are_reported(kind, values, message):
    with pytest.raises(UserError, match=message):
        parse_mitigation(kind, values)


def test_reweighing_at_a_given_rate_needs_no_largest_weight():
    settings = parse_mitigation("m4", {"use": "reweigh", "rate": 1, "max_weight": float("inf")})
    assert settings.limits["max_weight"] == float("inf")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"hidden_units": 0}, "classifier.hidden_units: 0 should be greater than or equal to 1"),
        ({"epochs": 1.5}, "classifier.epochs: 1.5 should be a valid integer"),
        ({"batch_size": "all"}, "classifier.batch_size: 'all' should be a valid integer"),
        ({"library": "keras"}, "classifier.library: 'keras' should be 'clipfair' or 'scikit-learn'"),
        ({"learning_rate": 0}, "classifier.learning_rate: 0 should be greater than 0"),
    ],
)
def test_wrong_settings_of_the_classifier_are_reported(setting, message):
    with pytest.raises(UserError, match=message):
        parse_settings(ClassifierSettings, setting, where="classifier")
