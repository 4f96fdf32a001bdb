import pytest

from clipfair.plan.snakemake.requested_targets import named_targets, requested_targets


@pytest.mark.parametrize(
    ("arguments", "targets"),
    [
        ("-n --cores 2 --quiet --config study=paper -- fairclip", ["fairclip"]),
        ("--cores 2 results/table5.csv", ["results/table5.csv"]),
        ("--profile slurm --config study=lab seeds=3", []),
        ("-n", []),
    ],
)
def test_targets_are_separated_from_options(arguments, targets):
    assert requested_targets(arguments.split()) == targets


def test_named_are_targets_and_the_rules_of_options():
    arguments = ["-n", "--forcerun", "fetch_dataset", "--until", "prepare_dataset", "--", "m4"]
    assert named_targets(arguments) == ["fetch_dataset", "m4", "prepare_dataset"]
