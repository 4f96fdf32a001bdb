"""Data that only a person can get are reported at once, before any job."""

import json
from dataclasses import replace

import pytest

from clipfair.core.paths import ROOT
from clipfair.data.fetch import MANIFEST, fetch_dataset
from clipfair.plan.configuration_files import configuration_files, read_configuration
from clipfair.plan.loading import load_plan
from clipfair.plan.missing import (
    check_data,
    missing_datasets,
    missing_message,
    report_failed_downloads,
    stop_for,
)
from clipfair.plan.targets import tables_of

NEEDED = {
    "webli": ["m4/table1"],
    "imagenet": ["m4/figure6", "m4/table2"],
    "adult": ["m4/table5"],
    "cc12m": ["m4/figure2"],
    "harvard-fairvlmed": ["fairclip/zero-shot"],
}


@pytest.fixture
def find(catalogue, tmp_path):
    def run(mirror=None):
        raw_dirs = {name: tmp_path / "raw" / name for name in NEEDED}
        return missing_datasets(catalogue, NEEDED, raw_dirs=raw_dirs, mirror=mirror)

    return run


def test_what_can_be_downloaded_is_not_missing(find):
    assert list(find()) == ["webli", "imagenet", "cc12m", "harvard-fairvlmed"]
    assert find()["imagenet"] == ["m4/figure6", "m4/table2"]


def test_what_was_fetched_or_lies_in_the_mirror_is_not_missing(find, tmp_path):
    (tmp_path / "raw/imagenet").mkdir(parents=True)
    assert "imagenet" in find()
    (tmp_path / "raw/imagenet" / MANIFEST).write_text(json.dumps({}))
    (tmp_path / "mirror/cc12m/shards").mkdir(parents=True)
    assert list(find(str(tmp_path / "mirror"))) == ["webli", "harvard-fairvlmed"]


def test_one_message_names_every_dataset_and_each_table_once(catalogue, find):
    missing = find()
    both = ["webli", "imagenet"]
    lacking = {"m4/table2": both, "m4/figure6": both, "m4/figure2": ["cc12m"]}
    message = missing_message(catalogue, list(missing), lacking, mirror=None, study="paper")
    first, *paragraphs, needed, last = message.split("\n\n")
    assert "data are missing that you must get yourself (4 of" in first
    assert "CLIPFAIR_MIRROR" in last
    assert "--config study=paper missing_data=leave_out" in last
    assert needed.splitlines()[1:] == ["  webli, imagenet: m4/table2, m4/figure6", "  cc12m: m4/figure2"]
    assert message.count("m4/table2") == 1
    for paragraph, name in zip(paragraphs, missing, strict=True):
        assert paragraph.startswith(f"{name} ({catalogue[name].title}")
        assert catalogue[name].how_to_get in paragraph


def test_a_folder_that_lacks_files_is_told_what_it_lacks(catalogue, find, tmp_path):
    folder = tmp_path / "mirror/imagenet"
    folder.mkdir(parents=True)
    (folder / "ILSVRC2012_img_val.tar").touch()
    mirror = str(tmp_path / "mirror")
    message = missing_message(catalogue, list(find(mirror)), {}, mirror=mirror, study="paper")
    # Of the three layouts the nearest is that of the validation images alone.
    assert f"  lacks: ILSVRC2012_devkit_t12.tar.gz ({mirror}/imagenet is there)\n" in message
    assert message.count("lacks:") == 1
    assert f"the mirror folder is {mirror}" in message


def test_the_private_corpus_names_its_stand_ins(catalogue, error_of, tmp_path):
    message = error_of(
        fetch_dataset,
        catalogue["webli"],
        mirror=None,
        partial_dir=str(tmp_path / "partial"),
        out_dir=str(tmp_path / "out"),
    )
    assert "its owner keeps it private" in message
    assert "stand_ins: {webli: cc12m}" in message
    assert list(tmp_path.iterdir()) == []


def test_every_gated_set_says_what_to_do(catalogue, error_of, tmp_path):
    gated = [dataset for dataset in catalogue.values() if not dataset.downloadable]
    assert {"imagenet", "cars", "flickr30k", "harvard-fairvlmed"} <= {dataset.id for dataset in gated}
    for dataset in gated:
        message = error_of(
            fetch_dataset, dataset, mirror=None, partial_dir=str(tmp_path / "p"), out_dir=str(tmp_path / "o")
        )
        assert dataset.how_to_get in message
        assert dataset.licence in message
        if dataset.layouts:
            assert f"into <mirror>/{dataset.id}" in message
            assert "it will be checked by" in message


def test_a_dataset_without_loader_is_an_error_before_any_job(error_of):
    plan = load_plan(read_configuration(configuration_files(ROOT)), configuration_files(ROOT))
    adult = replace(plan.datasets["adult"], loader="no_such_module")
    changed = replace(plan, datasets={**plan.datasets, "adult": adult})
    assert "dataset 'adult': no module clipfair.data.datasets.no_such_module" in error_of(
        check_data, changed, list(plan.tables)
    )


def test_only_data_that_planned_jobs_fetch_stop_them(error_of):
    missing = ("imagenet", "harvard-fairvlmed")
    stop_for(missing, {"adult"})
    assert "nothing was started: imagenet missing" in error_of(stop_for, missing, {"adult", "imagenet"})


def test_the_message_is_about_the_tables_that_are_asked_for(monkeypatch, tmp_path, plan_of):
    monkeypatch.setenv("CLIPFAIR_MIRROR", str(tmp_path))
    plan = plan_of("paper")
    fairclip = check_data(plan, tables_of(plan, "fairclip"))
    assert "(2 of the datasets of this study)" in fairclip.message
    assert "m4/" not in fairclip.message
    assert set(fairclip.missing) > {"harvard-fairvlmed", "imagenet"}
    assert check_data(plan, ["m4/table5"]).message == ""


def test_what_is_left_out_is_reported_by_table(monkeypatch, tmp_path, plan_of):
    monkeypatch.setenv("CLIPFAIR_MIRROR", str(tmp_path))
    plan = plan_of("paper", {"missing_data": "leave_out"})
    check = check_data(plan, list(plan.tables))
    assert check.missing == ()
    left_out, in_part = check.message.split("missing_data=leave_out builds without some of their datasets:")
    for table in plan.tables:
        assert left_out.replace("\n", ",").count(f" {table},") == (table not in check.plan.tables)
    assert in_part.strip() == "imagenet: m4/table7-web"


def test_what_is_left_out_of_the_tables_that_are_asked_for(monkeypatch, tmp_path, plan_of):
    monkeypatch.setenv("CLIPFAIR_MIRROR", str(tmp_path))
    plan = plan_of("paper", {"missing_data": "leave_out"})
    message = check_data(plan, ["m4/table5", "fairclip/faces"]).message
    assert message.splitlines()[1:] == ["  fairface: fairclip/faces"]
    assert check_data(plan, ["m4/table5"]).message == ""


@pytest.mark.parametrize(
    ("content", "shown"), [("", ""), ("step\nclipfair: no answer\n", "clipfair: no answer\n")]
)
def test_the_last_line_of_a_failed_download_is_repeated_if_there_is_one(
    tmp_path, monkeypatch, capsys, plan_of, content, shown
):
    plan = plan_of()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs/fetch_dataset").mkdir(parents=True)
    (tmp_path / f"logs/fetch_dataset/adult-{plan.datasets['adult'].version}.log").write_text(content)
    report_failed_downloads(plan)
    assert capsys.readouterr().err == shown


def test_a_mirror_folder_that_does_not_exist(monkeypatch, tmp_path, plan_of, error_of):
    monkeypatch.setenv("CLIPFAIR_MIRROR", str(tmp_path / "absent"))
    monkeypatch.chdir(tmp_path)  # nothing is fetched below it
    plan = plan_of()
    assert "absent' does not exist" in error_of(check_data, plan, list(plan.tables))


def test_a_mirror_folder_that_is_a_file(monkeypatch, tmp_path, plan_of, error_of):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CLIPFAIR_MIRROR", str(tmp_path / "file"))
    monkeypatch.chdir(tmp_path)
    plan = plan_of()
    assert "file' is a file; name a folder" in error_of(check_data, plan, list(plan.tables))
