"""Foundations of all other packages: errors, files, paths, provenance, schemas, the dataset catalogue."""
