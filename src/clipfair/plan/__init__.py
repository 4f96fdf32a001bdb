"""What is run: the checked configuration, the runs of a study, what is missing for it."""
