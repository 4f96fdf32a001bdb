# What the rules of train.smk ask of the plan.
from clipfair.plan.own_code import job_code
from clipfair.plan.training_jobs import fetched_models, fetched_vocabularies, tower_weights
from clipfair.plan.training_jobs import trained_runs, training_job, training_rules


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
