import pytest

from clipfair.core.paths import TABULAR, Run


def test_a_run_is_found_again_from_its_key():
    run = Run(
        dataset="harvard-fairvlmed",
        balance="none",
        model="vit-b-16",
        method="fairclip",
        attr="race",
        lam="1e-7",
    )
    assert run.key == (
        "dataset~harvard-fairvlmed/balance~none/model~vit-b-16/method~fairclip/attr~race/lam~1e-7/seed~0"
    )
    assert Run.from_key(run.key) == run


def test_what_does_not_apply_is_a_word():
    assert (
        Run(dataset="adult").key == "dataset~adult/balance~none/model~none/method~none/attr~none/lam~0/seed~0"
    )


def test_a_batch_is_the_folder_of_its_repeats():
    first, second = (Run(dataset="adult", method="rto", seed=seed) for seed in (0, 11))
    assert first.batch == second.batch
    assert second.key == f"{second.batch}/seed~11"


@pytest.mark.parametrize(
    "key",
    [
        "dataset~adult",
        "balance~none/dataset~adult/model~none/method~none/attr~none/lam~0/seed~0",
        "dataset~adult/balance~none/model~none/method~/attr~none/lam~0/seed~0",
        "dataset~adult/balance~none/model~none/method~none/attr~none/lam~0/seed~0/seed~1",
    ],
)
def test_anything_else_is_no_run_key(key):
    with pytest.raises(ValueError, match="not a run key"):
        Run.from_key(key)


def test_templates_fill_with_the_levels_of_a_run():
    path = TABULAR.format(study="lab", dataset="adult", model="mlp-128", method="m4", attr="sex")
    assert path == f"results/tabular/lab/{Run('adult', model='mlp-128', method='m4', attr='sex').batch}"
