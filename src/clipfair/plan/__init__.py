"""Planning: the checked configuration, the runs of a study, missing data."""
