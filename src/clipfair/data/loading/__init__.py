"""Code shared by the loaders of datasets: reading published files, checking their cells, columns and keys."""
