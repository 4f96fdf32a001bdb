"""fit_annotator: classifiers of image attributes, fitted to the labelled pairs of the first shards."""

from clipfair.annotate.caption_labels import CAPTIONS, load_labels
from clipfair.annotate.encoders import load_encoder
from clipfair.annotate.fit import FitSettings, fit_annotator
from clipfair.annotate.vocabulary import load_vocabulary
from clipfair.core.errors import job_log
from clipfair.core.gpus import reserve_gpus
from clipfair.data.shards import find_shards

with job_log(snakemake.log[0]), reserve_gpus(snakemake.resources.gpu):
    annotation, raw = snakemake.params.annotation, snakemake.input.raw
    annotator, max_bad_share = annotation["annotator"], annotation["max_bad_share"]
    shards = find_shards(raw)[: annotator["labelled_shards"]]
    labels = load_labels(
        annotator["labels"],
        folder=raw,
        shards=shards,
        vocabularies=[load_vocabulary(path) for path in snakemake.input.vocabularies],
        categories=annotator["categories"],
        flags=annotator["flags"],
        max_bad_share=max_bad_share,
    )
    fit_annotator(
        load_encoder(annotation["encoder"], snakemake.input.encoder),
        shards,
        labels,
        snakemake.output[0],
        FitSettings(annotator["kind"], match_share=annotator["labels"] == CAPTIONS),
        max_bad_share=max_bad_share,
    )
