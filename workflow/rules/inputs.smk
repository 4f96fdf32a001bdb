# What the rules ask of the plan, by phase: each function is an attribute of a job. What a job is made from, and
# how, is decided in src/clipfair/plan; here stand the modules that a job's code digest covers.
from clipfair.core.code_digest import code_digest
from clipfair.core.paths import Run
from clipfair.data.prepare import find_loader
from clipfair.plan.data_jobs import annotation_job, condition_job
from clipfair.plan.data_jobs import fetched_datasets, generated_datasets
from clipfair.plan.data_jobs import generated_settings, loader_settings
from clipfair.plan.data_targets import data_targets
from clipfair.plan.evaluation_jobs import batches_of_one_job, batches_of_two_jobs
from clipfair.plan.evaluation_jobs import evaluation_job, predicted_folders, probe_job
from clipfair.plan.own_code import job_code
from clipfair.plan.search_jobs import search_job
from clipfair.plan.snakemake.resources import SIGNAL_BEFORE_TIMEOUT, gpu_site, per_attempt
from clipfair.plan.table_jobs import table_job, tables_reading
from clipfair.plan.tabular_jobs import tabular_job
from clipfair.plan.targets import PAPERS, compared_tables, paper_targets
from clipfair.plan.targets import model_cards, study_targets, table5_parts
from clipfair.plan.training_jobs import fetched_models, fetched_vocabularies
from clipfair.plan.training_jobs import tower_weights, trained_runs, training_job, training_rules


def get_run(wildcards):
    return Run.from_levels(wildcards)


def either(names):
    # A pattern that only these names match; without names, one that nothing matches.
    return "|".join(names) or "(?!)"


def temp_unless(keep, file):
    # An output that Snakemake removes once no job needs it, unless it is to be kept.
    return file if keep else temp(file)


# --- Data ---


def get_source(wildcards):
    return PLAN.datasets[wildcards.dataset].source_digest


def get_fetched_datasets():
    return fetched_datasets(PLAN)


def get_generated_datasets():
    return generated_datasets(PLAN)


def get_generated(wildcards):
    return generated_settings(PLAN, wildcards.dataset)


def get_subset(wildcards):
    return wildcards.dataset in PLAN.configuration.subset


def get_loader_settings(wildcards):
    return loader_settings(PLAN, wildcards.dataset)


def get_loader_code(wildcards):
    return code_digest("clipfair.data.prepare", find_loader(PLAN.datasets[wildcards.dataset]))


# --- Tabular ---


def get_prepared_table(wildcards):
    return PLAN.prepared_of(wildcards.dataset)


def get_mitigation_settings(wildcards):
    return tabular_job(PLAN, get_run(wildcards)).settings


def get_mitigation_code(wildcards):
    kind = tabular_job(PLAN, get_run(wildcards)).kind
    return code_digest("clipfair.tabular.run", f"clipfair.tabular.methods.{kind}")


def get_mitigation_priority(wildcards):
    return tabular_job(PLAN, get_run(wildcards)).priority


# --- Annotations and conditions ---


def get_annotation(wildcards):
    return annotation_job(PLAN, wildcards.dataset).settings


def get_annotation_gpus(wildcards):
    return annotation_job(PLAN, wildcards.dataset).gpus


def get_annotator_code(wildcards):
    job = annotation_job(PLAN, wildcards.dataset)
    return code_digest(
        "clipfair.annotate.fit",
        f"clipfair.annotate.{job.labels_prefix}labels",
        f"clipfair.annotate.encoders.{job.encoder_kind}",
    )


def get_annotation_code(wildcards):
    kind = annotation_job(PLAN, wildcards.dataset).encoder_kind
    return code_digest("clipfair.annotate.shards", f"clipfair.annotate.encoders.{kind}")


def get_raw(wildcards):
    return PLAN.raw_of(wildcards.dataset)


def get_raw_contents(wildcards):
    return paths.contents_of(get_raw(wildcards))


def get_vocabularies(wildcards):
    return [str(ROOT / file) for file in annotation_job(PLAN, wildcards.dataset).vocabularies]


def get_replacements(wildcards):
    return str(ROOT / "resources/vocabulary/neutral.yaml")


def get_encoder(wildcards):
    return annotation_job(PLAN, wildcards.dataset).encoder


def get_annotation_files(wildcards):
    return annotation_job(PLAN, wildcards.dataset).files


def get_rewritten(wildcards):
    return get_condition(wildcards).rewritten


def get_condition(wildcards):
    return condition_job(PLAN, wildcards.dataset, wildcards.balance)


def get_group_annotations(wildcards):
    job = get_condition(wildcards)
    return job.of_group(job.annotations, wildcards.group)


def get_group_rewritten(wildcards):
    job = get_condition(wildcards)
    return job.of_group(job.rewritten, wildcards.group)


def of_groups(template):
    # The files of all groups of shards of a condition; none if one job makes the whole condition.
    def files(wildcards):
        return expand(template, group=get_condition(wildcards).groups, **wildcards)

    return files


def get_solved(wildcards):
    return expand(paths.SOLVED, **wildcards) if get_condition(wildcards).groups else []


def get_within(wildcards):
    return get_condition(wildcards).within


def get_balance(wildcards):
    return get_condition(wildcards).settings


# --- Trained models ---


def get_fetched_models():
    return either(fetched_models(PLAN))


def get_weights(wildcards):
    return PLAN.configuration.models[wildcards.weights].published.model_dump(exclude_unset=True)


def get_tower(wildcards):
    return tower_weights(PLAN, wildcards.weights)


def get_fetched_vocabularies():
    return either(fetched_vocabularies(PLAN))


def get_vocabulary_source(wildcards):
    return PLAN.configuration.models[wildcards.weights].vocabulary.model_dump(exclude_unset=True)


def get_training_rules():
    return training_rules(PLAN)


def of_each_seed(get, seeds):
    # What `get` returns for each run of a job.
    def get_list(wildcards):
        return [get(run) for run in trained_runs(get_run(wildcards), seeds)]

    return get_list


def get_train_settings(wildcards):
    return training_job(PLAN, get_run(wildcards)).settings


def get_train_settings_of(seeds):
    return of_each_seed(get_train_settings, seeds)


def get_train_data_of(seeds):
    return of_each_seed(lambda run: training_job(PLAN, run).data, seeds)


def files_of_seeds(get, seeds):
    # The files that `get` returns for the runs of a job, each once: seeds may read different draws of a dataset.
    def get_files(wildcards):
        return list(
            dict.fromkeys(file for files in of_each_seed(get, seeds)(wildcards) for file in files)
        )

    return get_files


def get_train_raw_of(seeds):
    return files_of_seeds(lambda run: [training_job(PLAN, run).raw], seeds)


def get_train_raw_contents_of(seeds):
    return files_of_seeds(lambda run: [paths.contents_of(training_job(PLAN, run).raw)], seeds)


def get_train_table_of(seeds):
    return files_of_seeds(lambda run: training_job(PLAN, run).table, seeds)


def get_keep_lists_of(seeds):
    return files_of_seeds(lambda run: training_job(PLAN, run).keep, seeds)


def get_start_weights(wildcards):
    return training_job(PLAN, get_run(wildcards)).weights


def get_start_weights_of(seeds):
    get_lists = of_each_seed(get_start_weights, seeds)

    def get_files(wildcards):
        return [file for files in get_lists(wildcards) for file in files]

    return get_files


def get_vocabulary(wildcards):
    return training_job(PLAN, get_run(wildcards)).vocabulary


def get_train_threads(wildcards):
    return training_job(PLAN, get_run(wildcards)).recipe.threads


def get_train_gpus(wildcards):
    return training_job(PLAN, get_run(wildcards)).recipe.gpus


def get_train_memory(wildcards, attempt):
    return training_job(PLAN, get_run(wildcards)).recipe.mem_mb * attempt


def get_train_runtime(wildcards, attempt):
    return training_job(PLAN, get_run(wildcards)).recipe.minutes * attempt


def get_train_runtime_of(seeds):
    def get_minutes(wildcards, attempt):
        return len(seeds) * get_train_runtime(wildcards, attempt)

    return get_minutes


def get_training_data_kind(wildcards):
    return PLAN.data_kind_of(wildcards.dataset)


def get_train_code(wildcards):
    job = training_job(PLAN, get_run(wildcards))
    return job_code("clipfair.train.run", *job.modules, own=job.own)


def get_batch_specs(wildcards):
    return PLAN.batch_files(paths.MODEL_SPEC, get_run(wildcards))


def get_batch_logs(wildcards):
    return PLAN.batch_files(paths.TRAIN_LOG, get_run(wildcards))


def get_batch_epochs(wildcards):
    return PLAN.batch_files(paths.EPOCHS, get_run(wildcards))


def get_scratch(wildcards):
    return training_job(PLAN, get_run(wildcards)).scratch


def get_scratch_of(seeds):
    return of_each_seed(get_scratch, seeds)


# --- Evaluations ---


def get_batches_of_one_job(keep_embeddings):
    return batches_of_one_job(PLAN, keep_embeddings=keep_embeddings)


def get_batches_of_two_jobs():
    return batches_of_two_jobs(PLAN)


def get_embed_threads(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).threads


def get_embed_gpus(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).gpus


def get_numerics(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).numerics


def get_evaluated_parts(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).parts


def get_evaluation_code(wildcards):
    job = evaluation_job(PLAN, get_run(wildcards))
    return job_code("clipfair.evaluate.run", *job.modules, own=job.own)


def get_embedded_files(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).files


def get_embedded_snapshots(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).snapshots


def get_evaluations(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).evaluations


def get_evaluated_tables(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).tables


def get_evaluated_raw(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).raw


def get_evaluated_raw_contents(wildcards):
    return [paths.contents_of(raw) for raw in get_evaluated_raw(wildcards)]


def get_probes(wildcards):
    return probe_job(PLAN, get_run(wildcards)).evaluations


def get_probed_tables(wildcards):
    return probe_job(PLAN, get_run(wildcards)).tables


def get_probed_raw(wildcards):
    return probe_job(PLAN, get_run(wildcards)).raw


def get_probed_raw_contents(wildcards):
    return [paths.contents_of(raw) for raw in get_probed_raw(wildcards)]


def get_probed_parts(wildcards):
    return probe_job(PLAN, get_run(wildcards)).parts


def get_probed_files(wildcards):
    return probe_job(PLAN, get_run(wildcards)).files


def get_probe_threads(wildcards):
    return probe_job(PLAN, get_run(wildcards)).threads


def get_probe_gpus(wildcards):
    return probe_job(PLAN, get_run(wildcards)).gpus


# --- Searches ---


def get_search_settings(wildcards):
    return search_job(PLAN, wildcards.search).settings


def get_search_table(wildcards):
    return search_job(PLAN, wildcards.search).training.table


def get_search_raw(wildcards):
    return search_job(PLAN, wildcards.search).training.raw


def get_search_raw_contents(wildcards):
    return paths.contents_of(get_search_raw(wildcards))


def get_search_weights(wildcards):
    return search_job(PLAN, wildcards.search).training.weights


def get_search_journal(wildcards):
    return search_job(PLAN, wildcards.search).journal


def get_search_scratch(wildcards):
    return search_job(PLAN, wildcards.search).scratch_of(wildcards.part)


def get_search_data(wildcards):
    return search_job(PLAN, wildcards.search).training.data


def get_search_parts(wildcards):
    return search_job(PLAN, wildcards.search).parts


def get_search_code(wildcards):
    job = search_job(PLAN, wildcards.search).training
    modules = ["clipfair.train.search.run", "clipfair.train.run", *job.modules]
    return job_code(*modules, own=job.own)


def get_search_threads(wildcards):
    return search_job(PLAN, wildcards.search).training.recipe.threads


def get_search_gpus(wildcards):
    return search_job(PLAN, wildcards.search).training.recipe.gpus


# --- Tables and figures ---


def get_table(wildcards):
    return table_job(PLAN, f"{wildcards.paper}/{wildcards.table}")


def get_data_kind(wildcards):
    return get_table(wildcards).data


def get_table_notes(wildcards):
    return get_table(wildcards).notes


def get_published(wildcards):
    return [str(ROOT / file) for file in get_table(wildcards).published]


def get_records(wildcards):
    return get_table(wildcards).records


def get_table_settings(wildcards):
    return get_table(wildcards).settings


def get_builder_code(wildcards):
    return get_table(wildcards).code


def get_published_tables():
    return paths.table_pattern(tables_reading(PLAN, "tabular"))


def get_data_tables():
    return paths.table_pattern(tables_reading(PLAN, "data"))


def get_run_tables():
    return paths.table_pattern(tables_reading(PLAN, "trained"))


def get_data_table_inputs(wildcards):
    return get_table(wildcards).inputs


def get_data_table_raw(wildcards):
    return get_table(wildcards).raw


def get_data_table_arguments(wildcards):
    return get_table(wildcards).arguments


def get_data_table_builder(wildcards):
    return get_table(wildcards).builder


def get_run_specs(wildcards):
    return get_table(wildcards).specs


def get_run_epochs_by_key(wildcards):
    return get_table(wildcards).epochs


def get_run_epochs(wildcards):
    return list(get_table(wildcards).epochs.values())


def get_figure_data(wildcards):
    return f"{paths.TABLE}{get_table(wildcards).drawn_file}"


def get_figure(wildcards):
    return get_table(wildcards).figure


def get_figure_code(wildcards):
    return code_digest(
        "clipfair.tables.common.figure_files",
        f"clipfair.tables.{wildcards.paper}.{get_figure(wildcards)}_figure",
    )


def get_table5_parts():
    return table5_parts(PLAN)


def get_study_targets():
    return study_targets(PLAN)


def get_model_cards():
    return model_cards(PLAN)


def get_data_targets():
    return data_targets(PLAN)


def get_paper_targets(paper):
    return paper_targets(PLAN, paper)


# --- Report ---


def get_pages():
    return PLAN.table_files(".md", PLAN.tables)


def get_compared_names():
    return compared_tables(PLAN)


def get_compared_files():
    return PLAN.table_files(".compare.csv", compared_tables(PLAN))


def get_predicted_folders():
    return predicted_folders(PLAN)


def get_predicted_specs():
    return [f"{folder}{paths.FOLDER_SPEC}" for folder in predicted_folders(PLAN)]


def get_table_labels(wildcards):
    return {"table": wildcards.table, "data": get_data_kind(wildcards)}


def get_figure_labels(wildcards):
    return {"figure": wildcards.table, "data": get_data_kind(wildcards)}


def get_paper_title(wildcards):
    return PAPERS[wildcards.paper]
