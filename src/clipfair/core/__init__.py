"""What every other package needs: errors, files, paths, provenance, schemas, the dataset catalogue."""
