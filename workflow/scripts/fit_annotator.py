"""fit_annotator: what sees attributes in pictures, from the labelled pairs of the first shards."""

from clipfair.annotate.encoders import encoder_of
from clipfair.annotate.fit import fit_annotator
from clipfair.annotate.labels import CAPTIONS, labels_of
from clipfair.annotate.vocabulary import load_vocabulary
from clipfair.core.errors import job_log
from clipfair.data.shards import find_shards

with job_log(snakemake.log[0]):
    annotation, raw = snakemake.params.annotation, snakemake.input.raw
    annotator, max_bad_share = annotation["annotator"], annotation["max_bad_share"]
    shards = find_shards(raw, expected=annotation["shards"])[: annotator["labelled_shards"]]
    labels = labels_of(
        annotator["labels"],
        folder=raw,
        shards=shards,
        vocabularies=[load_vocabulary(path) for path in snakemake.input.vocabularies],
        categories=annotator["categories"],
        flags=annotator["flags"],
        max_bad_share=max_bad_share,
    )
    fit_annotator(
        encoder_of(annotation["encoder"], snakemake.input.encoder),
        shards,
        labels,
        snakemake.output[0],
        kind=annotator["kind"],
        match_share=annotator["labels"] == CAPTIONS,
        max_bad_share=max_bad_share,
    )
