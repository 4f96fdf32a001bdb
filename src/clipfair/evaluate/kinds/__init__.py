"""One module per kind of evaluation, imported by name."""
