"""One module per kind of method, imported by name: its ``make_parts`` returns the parts of a training."""
