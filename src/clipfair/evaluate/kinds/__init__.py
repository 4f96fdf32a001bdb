"""One module per kind of evaluation, imported by name (:mod:`clipfair.evaluate.protocol`)."""
