"""Exit status 0 means that what was asked for exists and is current, whatever was there before."""

import shutil

import pandas as pd
import pytest

TABLE5 = "results/table5.csv"


@pytest.fixture
def partial(repository):
    """The mirror's Adult has fewer rows than the catalogue expects: it is a part of it."""

    def expect_more_rows(catalogue):
        catalogue["adult"]["expected"] = {"rows": 5000}

    only_baseline = {"mitigations": ["baseline"]}
    repository.edit_yaml("config.yaml", lambda config: config["grids"]["table5"].update(only_baseline))
    repository.edit_yaml("resources/datasets.yaml", expect_more_rows)
    return repository


def rows_of(table):
    """Return the rows of a prepared table."""
    [path] = table.glob("data/prepared/adult/*/table.parquet")
    return len(pd.read_parquet(path))


def test_the_advice_to_accept_a_partial_copy_works_in_one_call(partial):
    run = partial.snakemake()
    assert run.returncode != 0
    assert "subset" in run.stderr
    run = partial.snakemake(TABLE5, "--config", "subset=[adult]")
    assert run.returncode == 0, run.stderr
    assert (partial.folder / TABLE5).is_file()
    # A copy that is no longer accepted as partial is read, and refused, again.
    assert partial.snakemake(TABLE5).returncode != 0


def test_a_target_is_built_when_its_data_are_fetched_again(partial):
    """The catalogue changes after the data were made and before the target is."""
    subset = ("--config", "subset=[adult]")
    assert partial.snakemake("data", *subset).returncode == 0
    size = (partial.folder / "mirror/adult/adult.data").stat().st_size
    layout = {"adult.data": {"size": size}, "adult.test": {}}
    partial.edit_yaml(
        "resources/datasets.yaml", lambda catalogue: catalogue["adult"]["layouts"].update(uci=layout)
    )
    assert partial.planned(TABLE5, *subset)["fetch_dataset"] == 1
    run = partial.snakemake(TABLE5, *subset)
    assert run.returncode == 0, run.stderr
    assert (partial.folder / TABLE5).is_file()


def test_new_data_of_the_same_version_reach_the_tables(partial):
    subset = ("--config", "subset=[adult]")
    assert partial.snakemake(TABLE5, *subset).returncode == 0
    before = rows_of(partial.folder)
    data = partial.folder / "mirror/adult/adult.data"
    text = data.read_text()
    data.unlink()  # the workflow's copy is a link to the mirror's file
    data.write_text(text + text)
    run = partial.snakemake(TABLE5, *subset, "--forcerun", "fetch_dataset")
    assert run.returncode == 0, run.stderr
    assert rows_of(partial.folder) == before + len(text.splitlines())


def test_one_paper_alone(repository):
    """The small study has a table of the other paper only."""
    assert repository.planned("m4")["build_table"] == 1
    assert repository.planned("--", "fairclip") == {"fairclip": 1}


def test_missing_data_of_the_other_paper_are_not_reported(repository):
    """The message is about the tables that are asked for, wherever the command line names them."""
    shutil.rmtree(repository.folder / "mirror" / "adult")
    repository.edit_yaml("resources/datasets.yaml", lambda catalogue: _withhold(catalogue["adult"]))
    for arguments in (("--dry-run",), ("--dry-run", "m4"), ("--dry-run", "--", TABLE5)):
        assert "needed for:\n  adult: m4/table5" in repository.snakemake(*arguments).stderr
    for arguments in (("--dry-run", "--", "fairclip"), ("fairclip", "--dry-run")):
        run = repository.snakemake(*arguments)
        assert run.returncode == 0, run.stderr
        assert "adult" not in run.stderr


def _withhold(dataset):
    dataset.update(access="request", how_to_get="ask its owner")
    dataset.pop("archives", None)
