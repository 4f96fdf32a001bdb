"""Digests of a few small results under the kernels that the environment chooses.

    PYTHONPATH=src python benchmarks/verify/digests.py SCRATCH

SCRATCH is an empty folder. The code of every phase runs once on a tiny synthetic study, in one process, with
one thread. Prints JSON: the digest of each result, and the numerics and processor of the process.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from clipfair.annotate.caption_labels import load_labels
from clipfair.annotate.encoders import load_encoder
from clipfair.annotate.encoders.linear import fit_encoder
from clipfair.annotate.fit import FitSettings, fit_annotator
from clipfair.annotate.image import load_annotator
from clipfair.annotate.shards import annotate_shard
from clipfair.annotate.vocabulary import load_vocabulary
from clipfair.balance.conditions import make_condition
from clipfair.core.io import read_json, sha256_of, sha256_of_folder, write_parquet
from clipfair.core.paths import ROOT, Run
from clipfair.core.provenance import environment
from clipfair.data.embedded.generate import generate_world
from clipfair.data.embedded.world import make_settings
from clipfair.data.prepare import prepare_dataset
from clipfair.data.shards import find_shards
from clipfair.evaluate.embed.run import embed
from clipfair.evaluate.run import evaluate_runs
from clipfair.plan.configuration_files import configuration_files, merge, read_configuration
from clipfair.plan.data_jobs import annotation_job, condition_job, generated_settings
from clipfair.plan.evaluation_jobs import evaluation_job
from clipfair.plan.loading import load_plan
from clipfair.plan.mitigation_settings import ClassifierSettings
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.training_jobs import training_job
from clipfair.tabular.protocol import Protocol
from clipfair.tabular.run import evaluate_mitigation
from clipfair.train.run import train

WEB, FUNDUS = "embedded-web", "embedded-fundus"
TINY = {
    "study": "embedded",
    "generated": {
        WEB: {"settings": {"pairs": 1024, "shard_size": 512}},
        FUNDUS: {"settings": {"train": 160, "validation": 64, "test": 96}},
    },
    "recipes": {
        "small": {"examples": 2560, "snapshots": []},
        "fundus-small": {"epochs": 1},
    },
    "evaluations": {"embedded-fundus-probe": {"batch_size": 64, "epochs": 5, "warm_up": 1}},
}
PRETRAINED = Run(WEB, "proxies", "small-32-r64", "clip")
FINE_TUNED = {
    "clip-ft": Run(FUNDUS, "none", "small-baseline", "clip-ft"),
    "fairclip-released": Run(FUNDUS, "none", "small-baseline", "fairclip-released", "race", "0.0026"),
    "a-fairclip": Run(FUNDUS, "none", "small-baseline", "a-fairclip", "race", "0.07"),
    "mmd-laplacian": Run(FUNDUS, "none", "small-baseline", "mmd-laplacian-corrected", "race", "500"),
}
PROBED = Run(FUNDUS, "none", "small-baseline", "zero-shot")


def main(scratch: str) -> None:
    """Compute all results in ``scratch`` and print their digests."""
    torch.set_num_threads(1)
    os.chdir(scratch)
    plan = load_plan(merge(read_configuration(configuration_files(ROOT)), TINY))
    started, digests = time.process_time(), {}
    digests |= balance_pairs(plan)
    keep = ["keep.parquet"]
    digests["pretraining"] = digest_of_training(plan, PRETRAINED, {"keep": keep}, None)
    generate(plan, FUNDUS)
    prepare_dataset(plan.datasets[FUNDUS], plan.raw_of(FUNDUS), plan.prepared_of(FUNDUS), subset=True)
    for name, run in FINE_TUNED.items():
        data = {"table": plan.prepared_of(FUNDUS)}
        digests[f"fine-tuning {name}"] = digest_of_training(plan, run, data, "pretraining/model.safetensors")
    digests |= evaluate(plan, PROBED)
    digests |= mitigate()
    print(json.dumps({"digests": digests, "cpu_seconds": time.process_time() - started, **environment()}))


def generate(plan: StudyPlan, dataset: str) -> None:
    """Generate a synthetic dataset in its folder."""
    made = generated_settings(plan, dataset)
    generate_world(
        made["part"], make_settings(made["part"], made["settings"]), made["seed"], plan.raw_of(dataset)
    )


def balance_pairs(plan: StudyPlan) -> dict[str, str]:
    """Generate, annotate and balance the pairs: digests of the images, encoder, annotations and condition."""
    generate(plan, WEB)
    job = annotation_job(plan, WEB)
    annotator, shards = job.settings["annotator"], find_shards(job.raw)
    fit_encoder(shards, "encoder.npz", max_bad_share=0)
    encoder = load_encoder(job.settings["encoder"], "encoder.npz")
    vocabularies = [load_vocabulary(ROOT / file) for file in job.vocabularies]
    labels = load_labels(
        annotator["labels"],
        folder=job.raw,
        shards=shards[:1],
        vocabularies=vocabularies,
        categories=annotator["categories"],
        flags=annotator["flags"],
        max_bad_share=0,
    )
    fit_annotator(encoder, shards[:1], labels, "annotator.npz", FitSettings("probe"), max_bad_share=0)
    for shard in shards:
        annotate_shard(
            shard,
            f"{shard.name}.parquet",
            vocabularies=vocabularies,
            encoder=encoder,
            annotators=[load_annotator("annotator.npz")],
            max_bad_share=0,
        )
    annotations = [f"{shard.name}.parquet" for shard in shards]
    balance = condition_job(plan, WEB, "proxies").settings
    make_condition(
        annotations,
        kind=balance["kind"],
        settings=balance["settings"],
        seed=balance["seed"],
        keep_path="keep.parquet",
        audit_path="audit.json",
        dual_path="dual.json",
    )
    files = {
        "encoder of annotations": "encoder.npz",
        "annotator": "annotator.npz",
        "annotations": annotations[0],
        "M4 condition: dual": "dual.json",
        "M4 condition: kept examples": "keep.parquet",
    }
    return {
        "synthetic images": sha256_of_folder(job.raw),
        **{name: sha256_of(file) for name, file in files.items()},
    }


def digest_of_training(plan: StudyPlan, run: Run, data: dict, weights: str | None) -> str:
    """Train a run; the digest of its weights."""
    folder = Path("pretraining" if weights is None else run.method)
    job = training_job(plan, run)
    out = {name: str(folder / name) for name in ("spec", "log", "epochs", "snapshots")}
    out["model"] = str(folder / "model.safetensors")
    data = {"raw": job.raw, "cache": "cache", **data}
    train(job.settings, data=data, weights=weights, out=out, scratch=str(folder / "scratch"))
    return sha256_of(out["model"])


def evaluate(plan: StudyPlan, batch: Run) -> dict[str, str]:
    """Embed and evaluate one model, with a linear probe: digests of the embeddings and of the values."""
    job = evaluation_job(plan, batch)
    [part] = job.parts
    model = {**part["models"][0], "weights": "pretraining/model.safetensors"}
    embed([model], part["datasets"], job.evaluations, "embeddings")
    tables = {name: places["table"] for name, places in part["datasets"].items()}
    evaluate_runs("embeddings", tables, job.evaluations, [model["run"]], "evaluations")
    files = sorted(Path("evaluations").rglob("metrics.json"))
    found = {f"evaluation {file.parent.name.removeprefix('on~')}": str(read_json(file)) for file in files}
    digests = {name: digest_of_text(text) for name, text in found.items()}
    return {"embeddings": sha256_of(next(Path("embeddings").rglob(f"{FUNDUS}.npz"))), **digests}


def digest_of_text(text: str) -> str:
    """The digest of a text, by way of a file."""
    Path("text").write_text(text, encoding="utf-8")
    return sha256_of("text")


def mitigate() -> dict[str, str]:
    """Fit two mitigations of Table 5 to random rows: digests of their metrics and predictions."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame(generator.normal(size=(800, 12)), columns=[f"x{number}" for number in range(12)])
    table["sex"] = pd.Categorical(np.where(generator.random(800) < 0.4, "Female", "Male"))
    table["label"] = (table["x0"] + 0.4 * (table["sex"] == "Male") + generator.normal(size=800) > 0).astype(
        int
    )
    digests = {}
    for kind in ("m4", "correlation_remover"):
        metrics, predictions = evaluate_mitigation(
            table,
            label="label",
            sensitive="sex",
            kind=kind,
            settings={},
            protocol=Protocol(0.25, ClassifierSettings(epochs=2)),
            seeds=[0],
        )
        write_parquet("predictions.parquet", predictions)
        digests[f"mitigation {kind}"] = digest_of_text(json.dumps(metrics) + sha256_of("predictions.parquet"))
    return digests


if __name__ == "__main__":
    main(sys.argv[1])
