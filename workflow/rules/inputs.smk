# What the rules ask of the registry, by phase. Everything a function returns is decided by
# src/clipfair/plan/registry.py; nothing is computed here.
from dataclasses import asdict

from clipfair.data.prepare import find_loader
from clipfair.core.paths import Run
from clipfair.core.code_digest import code_digest
from clipfair.plan.snakemake.resources import SIGNAL_BEFORE_TIMEOUT, gpu_site, per_attempt
from clipfair.plan.training_plan import vocabulary_of

# --- Data ---


def get_source(wildcards):
    return REGISTRY.datasets[wildcards.dataset].source_digest


def get_fetched_datasets():
    return [name for name in REGISTRY.datasets if name not in REGISTRY.generated]


def get_generated(wildcards):
    return asdict(REGISTRY.generated[wildcards.dataset])


def get_subset(wildcards):
    return wildcards.dataset in REGISTRY.subset


def get_loader_settings(wildcards):
    return REGISTRY.loader_settings(wildcards.dataset)


def get_loader_code(wildcards):
    return code_digest("clipfair.data.prepare", find_loader(REGISTRY.datasets[wildcards.dataset]))


def tell_missing_data():
    for name in REGISTRY.datasets_needed():
        dataset = REGISTRY.datasets[name]
        log = Path(f"logs/fetch_dataset/{name}-{dataset.version}.log")
        if log.exists() and not Path(REGISTRY.raw_of(name)).exists():
            print(log.read_text(encoding="utf-8").strip().splitlines()[-1], file=sys.stderr)


# --- Tabular ---


def get_prepared_table(wildcards):
    return REGISTRY.prepared_of(wildcards.dataset)


def get_batch(wildcards):
    return Run(
        dataset=wildcards.dataset,
        model=wildcards.model,
        method=wildcards.method,
        attr=wildcards.attr,
    )


def get_mitigation_settings(wildcards):
    return REGISTRY.mitigation_settings(get_batch(wildcards))


def get_mitigation_code(wildcards):
    kind = REGISTRY.mitigations[wildcards.method].kind
    return code_digest("clipfair.tabular.run", f"clipfair.tabular.methods.{kind}")


def get_mitigation_priority(wildcards):
    # A reduction fits some twenty classifiers a repeat: started last, it would leave the other
    # cores idle for minutes.
    return int(REGISTRY.mitigations[wildcards.method].kind == "reduction")


# --- Annotations and conditions ---


def get_annotation(wildcards):
    return REGISTRY.annotation_settings(wildcards.dataset)


def get_annotation_gpus(wildcards):
    return REGISTRY.annotation_gpus(wildcards.dataset)


def get_annotator_code(wildcards):
    annotation = get_annotation(wildcards)
    kind = annotation["encoder"]["kind"]
    from_captions = annotation["annotator"]["labels"] == "captions"
    return code_digest(
        "clipfair.annotate.fit",
        "clipfair.annotate.caption_labels" if from_captions else "clipfair.annotate.labels",
        f"clipfair.annotate.encoders.{kind}",
    )


def get_annotation_code(wildcards):
    kind = get_annotation(wildcards)["encoder"]["kind"]
    return code_digest("clipfair.annotate.shards", f"clipfair.annotate.encoders.{kind}")


def get_raw(wildcards):
    return REGISTRY.raw_of(wildcards.dataset)


def get_vocabularies(wildcards):
    names = REGISTRY.annotation_of(wildcards.dataset).vocabularies
    return [str(ROOT / f"resources/vocabulary/{name}.yaml") for name in names]


def get_replacements(wildcards):
    return str(ROOT / "resources/vocabulary/neutral.yaml")


def get_encoder(wildcards):
    return REGISTRY.encoder_of(wildcards.dataset)


def get_annotation_files(wildcards):
    return REGISTRY.annotation_files(wildcards.dataset)


def get_rewritten(wildcards):
    return REGISTRY.rewritten_files(wildcards.dataset, wildcards.balance)


def get_within(wildcards):
    return REGISTRY.within_file(wildcards.dataset, wildcards.balance)


def get_balance(wildcards):
    return asdict(REGISTRY.balances[wildcards.balance])


# --- Trained models ---


def get_run(wildcards):
    levels = {
        level: getattr(wildcards, level) for level in paths.RUN_LEVELS if hasattr(wildcards, level)
    }
    return Run(**levels | {"seed": int(levels.get("seed", 0))})


def get_fetched_models():
    return "|".join(REGISTRY.runs.fetched_models()) or "(?!)"


def get_weights(wildcards):
    return REGISTRY.runs.models[wildcards.weights]["weights"]


def get_tower(wildcards):
    return REGISTRY.runs.tower_file(wildcards.weights) or []


def get_fetched_vocabularies():
    return "|".join(REGISTRY.runs.fetched_vocabularies()) or "(?!)"


def get_vocabulary_source(wildcards):
    return vocabulary_of(REGISTRY.runs.models[wildcards.weights])


def get_vocabulary(wildcards):
    return REGISTRY.runs.vocabulary_file(wildcards.model) or []


def get_train_settings(wildcards):
    return REGISTRY.train_settings(get_run(wildcards))


def get_train_raw(wildcards):
    return REGISTRY.raw_of(wildcards.dataset)


def get_train_table(wildcards):
    return [] if get_keep_lists(wildcards) else REGISTRY.prepared_of(wildcards.dataset)


def get_keep_lists(wildcards):
    return REGISTRY.runs.keep_lists(get_run(wildcards))


def get_start_weights(wildcards):
    return REGISTRY.runs.weights_file(get_run(wildcards)) or []


def get_recipe(wildcards):
    return REGISTRY.runs.recipe_of(get_run(wildcards))


def get_train_threads(wildcards):
    return get_recipe(wildcards)["threads"]


def get_train_gpus(wildcards):
    return get_recipe(wildcards)["gpus"]


def get_train_memory(wildcards, attempt):
    return get_recipe(wildcards)["mem_mb"] * attempt


def get_train_runtime(wildcards, attempt):
    return get_recipe(wildcards)["minutes"] * attempt


def get_train_cache(wildcards):
    version = REGISTRY.datasets[wildcards.dataset].version
    return paths.DECODED.format(dataset=wildcards.dataset, version=version)


def get_training_data_kind(wildcards):
    return "synthetic" if wildcards.dataset in REGISTRY.generated else "real"


def get_train_code(wildcards):
    kind = REGISTRY.runs.methods[wildcards.method]["kind"]
    return code_digest("clipfair.train.run", f"clipfair.train.kinds.{kind}")


def get_batch_specs(wildcards):
    return REGISTRY.runs.batch_files(paths.MODEL_SPEC, get_run(wildcards))


def get_batch_logs(wildcards):
    return REGISTRY.runs.batch_files(paths.TRAIN_LOG, get_run(wildcards))


def get_batch_epochs(wildcards):
    return REGISTRY.runs.batch_files(paths.EPOCHS, get_run(wildcards))


def get_scratch(wildcards):
    return str(Path(REGISTRY.scratch, paths.SCRATCH.format(**dict(wildcards.items()))))


def get_embed_threads(wildcards):
    return get_train_threads(wildcards)


def get_embed_gpus(wildcards):
    return min(1, get_train_gpus(wildcards))


def get_evaluated_runs(wildcards):
    return [asdict(run) for run in REGISTRY.runs.runs_of(get_run(wildcards))]


def get_evaluation_code(wildcards):
    kinds = {line["kind"] for line in get_evaluations(wildcards).values()}
    return code_digest(
        "clipfair.evaluate.run", *(f"clipfair.evaluate.kinds.{kind}" for kind in sorted(kinds))
    )


def get_embedded_models(wildcards):
    return REGISTRY.runs.embedded_models(get_run(wildcards))


def get_embedded_files(wildcards):
    models = get_embedded_models(wildcards)
    files = [model[part] for model in models for part in ("weights", "spec") if model[part]]
    vocabulary = get_vocabulary(wildcards)
    return [*files, vocabulary] if vocabulary else files


def get_embedded_snapshots(wildcards):
    return [model["snapshots"] for model in get_embedded_models(wildcards) if model["snapshots"]]


def get_evaluations(wildcards):
    return REGISTRY.runs.evaluations_of(get_run(wildcards))


def get_evaluated_datasets(wildcards):
    return REGISTRY.evaluated_tables(get_run(wildcards))


def get_evaluated_tables(wildcards):
    return [places["table"] for places in get_evaluated_datasets(wildcards).values()]


def get_evaluated_raw(wildcards):
    return [places["raw"] for places in get_evaluated_datasets(wildcards).values()]


def get_probes(wildcards):
    return REGISTRY.runs.probes_of(get_run(wildcards))


def get_probed_places(wildcards):
    [dataset] = {line["dataset"] for line in get_probes(wildcards).values()}
    return {"table": REGISTRY.prepared_of(dataset), "raw": REGISTRY.raw_of(dataset)}


def get_probed_table(wildcards):
    return get_probed_places(wildcards)["table"]


def get_probed_raw(wildcards):
    return get_probed_places(wildcards)["raw"]


def get_probed_models(wildcards):
    return get_embedded_models(wildcards)


def get_probed_files(wildcards):
    return get_embedded_files(wildcards)


def get_probe_threads(wildcards):
    return get_train_threads(wildcards)


def get_probe_gpus(wildcards):
    return get_embed_gpus(wildcards)


# --- Searches ---


def get_searched_run(wildcards):
    return REGISTRY.runs.searched_run(wildcards.search)


def get_search_settings(wildcards):
    return REGISTRY.search_settings(wildcards.search)


def get_search_table(wildcards):
    return REGISTRY.prepared_of(get_searched_run(wildcards).dataset)


def get_search_raw(wildcards):
    return REGISTRY.raw_of(get_searched_run(wildcards).dataset)


def get_search_weights(wildcards):
    return REGISTRY.runs.weights_file(get_searched_run(wildcards)) or []


def get_search_journal(wildcards):
    return REGISTRY.runs.search_file(paths.SEARCH_JOURNAL, wildcards.search)


def get_search_scratch(wildcards):
    return str(Path(REGISTRY.scratch, paths.SEARCH_SCRATCH.format(**dict(wildcards.items()))))


def get_search_cache(wildcards):
    dataset = get_searched_run(wildcards).dataset
    return paths.DECODED.format(dataset=dataset, version=REGISTRY.datasets[dataset].version)


def get_search_parts(wildcards):
    parts = range(REGISTRY.runs.searches[wildcards.search]["parts"])
    return [
        REGISTRY.runs.search_file(paths.SEARCH_PART, wildcards.search, part=part) for part in parts
    ]


def get_search_code(wildcards):
    return code_digest(
        "clipfair.train.search.run", "clipfair.train.run", "clipfair.train.kinds.finetune"
    )


def get_search_threads(wildcards):
    return get_search_settings(wildcards)["training"]["recipe"]["threads"]


def get_search_gpus(wildcards):
    return get_search_settings(wildcards)["training"]["recipe"]["gpus"]


# --- Tables and figures ---


def get_table_id(wildcards):
    return f"{wildcards.paper}/{wildcards.table}"


def get_data_kind(wildcards):
    return REGISTRY.data_kind(get_table_id(wildcards))


def get_table_notes(wildcards):
    return REGISTRY.notes(get_table_id(wildcards))


def get_published(wildcards):
    published = (REGISTRY.tables | REGISTRY.runs.tables)[get_table_id(wildcards)].published
    return [str(ROOT / f"resources/published/{published.split('/')[0]}.csv")] if published else []


def get_builder_code(paper, builder, *others):
    return code_digest(
        f"clipfair.tables.{paper}.{builder}", "clipfair.tables.common.table_files", *others
    )


def get_records(wildcards):
    return REGISTRY.records(get_table_id(wildcards))


def get_table_settings(wildcards):
    return REGISTRY.table_settings(get_table_id(wildcards))


def get_table_code(wildcards):
    return get_builder_code(wildcards.paper, REGISTRY.tables[get_table_id(wildcards)].builder)


def get_published_tables():
    return paths.table_pattern(REGISTRY.tables)


def get_data_tables():
    return paths.table_pattern(REGISTRY.data_tables)


def get_data_table_inputs(wildcards):
    return REGISTRY.data_table_inputs(get_table_id(wildcards))


def get_data_table_arguments(wildcards):
    return REGISTRY.data_table_arguments(get_table_id(wildcards))


def get_data_table_builder(wildcards):
    return REGISTRY.data_tables[get_table_id(wildcards)].builder


def get_data_table_code(wildcards):
    return get_builder_code(wildcards.paper, get_data_table_builder(wildcards))


def get_run_records(wildcards):
    return REGISTRY.runs.table_records(get_table_id(wildcards))


def get_run_specs(wildcards):
    return [f"{folder}{paths.FOLDER_SPEC}" for folder in get_run_records(wildcards)]


def get_run_epochs_by_key(wildcards):
    return REGISTRY.runs.table_epochs(get_table_id(wildcards))


def get_run_epochs(wildcards):
    return list(get_run_epochs_by_key(wildcards).values())


def get_run_table_settings(wildcards):
    return REGISTRY.run_table_settings(get_table_id(wildcards))


def get_run_table_code(wildcards):
    builder = REGISTRY.runs.tables[get_table_id(wildcards)].builder
    return get_builder_code(wildcards.paper, builder, "clipfair.tables.common.records")


def get_run_tables():
    return paths.table_pattern(REGISTRY.runs.buildable_tables())


def get_figure_data(wildcards):
    return f"{paths.TABLE}{REGISTRY.figure_data_suffix(get_table_id(wildcards))}"


def get_figure(wildcards):
    return REGISTRY.figure_of(get_table_id(wildcards))


def get_figure_code(wildcards):
    return code_digest(
        "clipfair.tables.common.figure_files",
        f"clipfair.tables.{wildcards.paper}.{get_figure(wildcards)}_figure",
    )


def get_table5_parts():
    return REGISTRY.table_files(".compare.csv", named="table5")


def get_study_targets():
    return REGISTRY.targets()


# --- Report ---


def get_pages():
    return REGISTRY.table_files(".md")


def get_compared_names():
    return REGISTRY.compared_tables()


def get_compared_files():
    return REGISTRY.table_files(".compare.csv", among=get_compared_names())


def get_table_labels(wildcards):
    return {"table": wildcards.table, "data": get_data_kind(wildcards)}


def get_figure_labels(wildcards):
    return {"figure": wildcards.table, "data": get_data_kind(wildcards)}


def get_paper_title(wildcards):
    return REGISTRY.paper_title(wildcards.paper)
