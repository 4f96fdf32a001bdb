"""Tables: what they read, what their builders take, what they say of their data."""

import pandas as pd
import pytest

from clipfair.core import paths
from clipfair.core.code_digest import code_closure
from clipfair.core.errors import UserError
from clipfair.plan import analysis_plan
from clipfair.plan.data_needed import datasets_needed, datasets_of, without
from clipfair.plan.table_jobs import table_job, tables_reading
from clipfair.plan.targets import study_targets

PHASES = {"annotate", "balance", "tabular", "train", "evaluate"}


def test_every_table_of_a_study_reads_one_kind(plan_of):
    plan = plan_of()
    kinds = [tables_reading(plan, what) for what in ("tabular", "trained", "data")]
    assert sorted(name for names in kinds for name in names) == sorted(plan.tables)
    assert kinds[0] == ["m4/table5", "m4/table5-readings", "m4/table5-rankings", "m4/table5-sklearn"]
    assert "fairclip/search" in kinds[2]


@pytest.mark.parametrize("study", ["embedded", "questions", "paper"])
def test_the_code_of_a_table_is_its_builder_and_no_phase(plan_of, study):
    plan = plan_of(study)
    for name, table in plan.tables.items():
        closure = set(code_closure(*table_job(plan, name).modules))
        assert f"clipfair.tables.{name.split('/')[0]}.{table.builder}" in closure
        assert not {module.split(".")[1] for module in closure} & PHASES, name


def test_a_table_of_trained_models_has_its_settings_and_what_its_grids_name(plan_of):
    settings = table_job(plan_of(), "m4/figure3").settings
    assert settings["metric"] == "parity_mean"
    assert settings["shown"] == {"embedded-objects-representation": "Objects"}
    assert list(settings["grids"]) == ["m4-single", "m4-two-stage"]
    assert settings["grids"]["m4-single"]["lams"] == ["0"]
    assert settings["seeds"] == [0, 1, 2]
    assert settings["schedules"]["proxies-10-baseline"] == [["proxies", 0.1], ["baseline", 0.9]]


def test_names_stand_in_the_catalogue_and_a_table_may_have_its_own(plan_of):
    plan = plan_of("embedded-full")
    row = {"name": "FairCLIP+, early", "published": "FairCLIP+"}
    assert table_job(plan, "fairclip/table5").settings["rows"]["fairclip-plus-early"] == row
    original = table_job(plan, "fairclip/original-table3").settings["rows"]
    assert original["fairclip-released"]["name"] == "FairCLIP"
    assert list(original) == ["clip-ft-released", "fairclip-released"]
    assert table_job(plan, "fairclip/switches").settings["encoders"] == {"small-baseline": "small model"}


def test_a_table_of_mitigations_has_the_readings_of_published_rows_in_its_grid(plan_of):
    settings = table_job(plan_of(), "m4/table5-readings").settings
    assert settings["rows"]["rto"] == settings["variants"]["rto-0.05"] == "RTO"
    assert settings["rows"]["rto-0.05"] is None
    assert table_job(plan_of(), "m4/table5-sklearn").settings["variants"] == {}


def test_the_published_places_are_those_of_the_table(plan_of):
    settings = table_job(plan_of(), "m4/table2").settings
    assert settings["published_rows"] == {"quality-filtered": "none", "quality-filtered-proxies": "proxies"}
    assert settings["published_datasets"]["embedded-faces-association"] == "fairface"
    assert settings["published"] == "table2"
    table5 = table_job(plan_of(), "m4/table5").settings
    assert table5["rows"]["m4"] == "Balancing (M4)"
    assert table5["tasks"]["adult"]["published"] == "adult"


@pytest.mark.parametrize(
    ("table", "places"),
    [
        (
            "table5",
            {
                "zero-shot": "CLIP",
                "clip-ft-released-validation": "CLIP-FT",
                "fairclip-released-validation": "FairCLIP-{attr}",
                "fairclip-plus-early": "FairCLIP+",
            },
        ),
        ("linear-probe", {"zero-shot": "CLIP", "clip-ft-released-validation": "CLIP-FT"}),
        ("original-checkpoints", {"clip-ft-2025": "CLIP", "fairclip-2025": "FairCLIP-{attr}"}),
        (
            "original-table2",
            {"zero-shot": "CLIP", "clip-ft-released": "CLIP-FT", "blip2": "BLIP2", "blip2-ft": "BLIP2-FT"},
        ),
    ],
)
def test_published_rows_stand_with_the_runs_that_made_them(plan_of, table, places):
    """The reproduction's files named clip.pth are of 16-bit weights, selected on validation."""
    rows = table_job(plan_of("paper"), f"fairclip/{table}").settings["rows"]
    assert {name: row["published"] for name, row in rows.items() if "published" in row} == places


def test_the_published_clip_ft_of_mmd_is_selected_on_validation(plan_of):
    rows = table_job(plan_of("paper"), "fairclip/mmd").settings["rows"]
    assert [name for name, row in rows.items() if row.get("published") == "CLIP-FT"] == [
        "clip-ft-released-validation"
    ]


def test_the_checkpoints_of_2025_have_their_own_seeds_and_settings(plan_of):
    plan = plan_of("paper")
    runs = [
        (batch, seed)
        for grid in plan.tables["fairclip/original-checkpoints"].grids
        for batch in plan.grids[grid].batches
        for seed in plan.seeds_of(batch)
    ]
    found = {batch.attr: (batch.model, batch.method, float(batch.lam), seed) for batch, seed in runs}
    fair = ("openai-b16", "fairclip-2025", 1e-6)
    assert found == {
        "none": ("openai-b16", "clip-ft-2025", 0, 8390),
        "race": (*fair, 7916),
        "gender": (*fair, 6799),
        "ethnicity": (*fair, 1693),
    }
    assert plan.configuration.methods["fairclip-2025"].job_settings()["distance"]["blur"] == 1e-6


def test_searches_keep_the_last_batch_for_sinkhorn_and_drop_every_one_for_mmd(plan_of):
    plan = plan_of("paper")
    dropped = {
        name: {
            switch
            for switch, value in plan.configuration.methods[search.method].job_settings().items()
            if switch.startswith("drop_last") and value
        }
        for name, search in plan.searches.items()
    }
    everything = {"drop_last", "drop_last_groups", "drop_last_validation"}
    mmd = {"fairclip-plus-b16-gaussian", "fairclip-plus-b16-laplacian"}
    assert dropped == {name: everything if name in mmd else set() for name in dropped}
    assert mmd < dropped.keys()


@pytest.mark.parametrize(
    ("table", "method", "model", "expected"),
    [
        # Table 2 of FairCLIP: BLIP2-FT is trained on the original notes; the heads are in a test of their own
        (
            "original-table2",
            "blip2-ft",
            "blip2-l14-from-clip",
            {"recipe.text_source": "note", "recipe.epochs": 50, "recipe.learning_rate": 1e-4},
        ),
        # the reproduction's code at other times
        (
            "versions",
            "fairclip-final",
            "openai-b16",
            {"normalise": "both", "precision": "fp16_roundtrip", "selection": "validation"},
        ),
        (
            "versions",
            "fairclip-january",
            "openai-b16",
            {"normalise": "batch", "precision": "fp16_roundtrip", "selection": "validation"},
        ),
        (
            "versions",
            "fairclip-plus-standard",
            "openai-b16",
            {"normalise": "standard", "score": "diag_square", "lam": 1e-5},
        ),
        # further settings that it evaluated
        *(
            (
                table,
                "fairclip-plus-accumulated",
                model,
                {
                    "lam": 1e-5,
                    "accumulation": "last",
                    "recipe.accumulate": 2,
                    "recipe.learning_rate": 1.414e-5,
                },
            )
            for table in ("versions", "table5-accumulated", "validation")
            for model in ("openai-b16", "openai-l14")
        ),
        ("versions", "a-fairclip-3.62", "openai-b16", {"lam": 3.62, "recipe.learning_rate": 3.76e-6}),
        ("versions", "a-fairclip-100", "openai-b16", {"lam": 100, "recipe.learning_rate": 2.93e-6}),
        (
            "versions",
            "mmd-laplacian-released-0.5",
            "openai-b16",
            {"lam": 0.5, "recipe.learning_rate": 5.2e-6, "overwritten": True},
        ),
    ],
)
def test_settings_that_were_evaluated_are_planned(plan_of, table, method, model, expected):
    """They are in the code of FairCLIP or its reproduction (docs/fairclip-protocol.md, sections 2 and 5)."""
    plan = plan_of("paper")
    batches = [
        batch
        for grid in plan.tables[f"fairclip/{table}"].grids
        for batch in plan.grids[grid].batches
        if (batch.method, batch.model) == (method, model)
    ]
    assert batches
    for batch in batches:
        found = plan.configuration.methods[method].job_settings() | {"lam": float(batch.lam)}
        recipe = plan.recipe_of(batch).model_dump()
        found |= {f"recipe.{key}": value for key, value in recipe.items()}
        assert {key: found[key] for key in expected} == expected


def test_the_heads_of_table_2_of_fairclip_are_trained_as_in_its_scripts(plan_of):
    """1,000 epochs, each in an order of its own; those of the reproduction 500 in one order."""
    plan = plan_of("paper")
    heads = {}
    for table in ("original-table2", "linear-probe"):
        grids = [plan.grids[name] for name in plan.tables[f"fairclip/{table}"].grids]
        names = {name for grid in grids for name in grid.evaluations}
        settings = [plan.configuration.evaluations[name].job_settings() for name in names]
        heads[table] = {(one.get("epochs", 500), one.get("reshuffle", False)) for one in settings}
    assert heads == {"original-table2": {(1000, True)}, "linear-probe": {(500, False)}}


def test_clip_ft_and_fairclip_plus_of_table_5_are_of_vit_b16(plan_of):
    """The job files of the stored scores name the encoder."""
    published = pd.read_csv(paths.ROOT / "resources/published/fairclip.csv")
    of_table = published[published["table"] == "table5"]
    rows = of_table[of_table["row"].isin(["CLIP-FT", "FairCLIP+"])]
    assert (len(rows), set(rows["dataset"])) == (62, {"ViT-B/16"})
    settings = table_job(plan_of("paper"), "fairclip/table5").settings
    assert settings["encoders"]["openai-b16"] == "ViT-B/16"
    for method in ("clip-ft-released-validation", "fairclip-plus-early"):
        grids = [grid for grid in settings["grids"].values() if method in grid["methods"]]
        assert all("openai-b16" in grid["models"] for grid in grids), method


def test_epochs_are_those_of_fine_tuned_runs(plan_of):
    plan = plan_of()
    keys = table_job(plan, "fairclip/epochs").epochs
    # Five without a fairness loss; as released, corrected, A-FairCLIP by attribute; FairCLIP+.
    assert len(keys) == 3 * (5 + 4 + 4 + 2 + 1)
    assert not any("method~zero-shot" in key for key in keys)
    assert table_job(plan, "fairclip/zero-shot").epochs == {}


def test_a_table_of_data_names_its_files(plan_of):
    job = table_job(plan_of(), "m4/table4")
    assert len(job.arguments["shards"]) == len(job.arguments["annotations"]) == 6
    # Shards lie in a folder that is made as a whole.
    assert [folder.startswith("data/raw/embedded-web/") for folder in job.raw] == [True]
    assert job.inputs.count(paths.contents_of(job.raw[0])) == 1
    assert not any(file.endswith(".tar") for file in job.inputs)
    assert len(table_job(plan_of(), "m4/conditions").arguments["audits"]) == 9


def test_a_table_that_the_study_does_not_have(plan_of):
    with pytest.raises(
        UserError, match=r"study 'lab' has no table 'm4/table1'; add it to studies\.lab\.tables"
    ):
        table_job(plan_of("lab"), "m4/table1")


def test_a_table_says_which_data_it_is_made_from(plan_of):
    plan = without(plan_of(overlay={"subset": ["embedded-web"]}), ["adult"])
    job = table_job(plan, "m4/conditions")
    assert [note.partition(":")[0] for note in job.notes] == [
        "Synthetic data with planted biases; not comparable with the paper",
        "Partial data (subset); not comparable with the paper",
        "Left out of this study (missing data)",
    ]
    assert job.data == "synthetic, partial"
    lab = table_job(plan_of("lab"), "m4/conditions-fairface")
    assert (lab.data, lab.notes) == ("real", ["Real data: fairface-labels."])
    web = table_job(plan_of("paper"), "m4/conditions-web")
    assert "The dataset cc12m is used instead of WebLI." in web.notes
    assert table_job(plan_of("paper"), "m4/table1").settings["incomparable"] == "cc12m instead of WebLI"
    assert table_job(plan_of(), "m4/table1").settings["incomparable"] == "synthetic data"


def test_without_a_dataset_its_tasks_go_and_with_the_last_the_table(plan_of):
    plan = plan_of()
    rest = without(plan, ["credit-default"])
    assert {batch.dataset for batch in rest.tabular_batches("table5")} == {"adult"}
    assert rest.left_out == ("credit-default",)
    assert study_targets(rest) == study_targets(plan)
    nothing = without(plan, ["adult", "credit-default"])
    assert not [target for target in study_targets(nothing) if "m4/table5" in target]


def test_without_pairs_all_that_is_trained_on_them_goes(plan_of):
    plan = plan_of()
    rest = without(plan, ["embedded-web"])
    gone = set(plan.tables) - set(rest.tables)
    # A list of datasets is as good without one of them.
    assert gone | {"m4/datasets"} == {
        table for table in plan.tables if "embedded-web" in datasets_of(plan, table)
    }


def test_without_an_evaluations_data_the_trainings_stay(plan_of):
    plan = plan_of("paper")
    rest = without(plan, ["imagenet"])
    assert rest.batches.keys() == plan.batches.keys()
    assert "imagenet-few-shot" not in rest.grids["m4-single"].evaluations
    assert datasets_of(rest, "m4/table7-web") == ["coco"]
    assert "Left out of this study (missing data): imagenet." in table_job(rest, "m4/table7-web").notes
    assert "m4/table7-web" not in without(plan, ["imagenet", "coco"]).tables


def test_the_datasets_of_a_study_come_with_the_tables_that_need_them(plan_of):
    needed = datasets_needed(plan_of("lab"))
    assert "m4/table5" in needed["adult"]
    assert "fairclip/faces" in needed["fairface"]


def test_a_table_of_verdicts_depends_on_what_the_plan_decides_by_and_on_no_text_of_it(plan_of, monkeypatch):
    def codes(plan):
        monkeypatch.setattr(analysis_plan, "read_analysis_plan", lambda: plan)
        return [
            table_job(plan_of(), name).code for name in ("fairclip/findings", "m4/findings", "m4/figure3")
        ]

    plan = analysis_plan.read_analysis_plan()
    found = codes(plan)
    stricter = codes(plan.model_copy(update={"level": plan.level / 2}))
    assert [one == other for one, other in zip(found, stricter, strict=True)] == [False, False, True]
    assert codes(plan.model_copy(update={"verdicts": []})) == found
