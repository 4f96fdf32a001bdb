"""What loaders of datasets share: reading published files, checking their cells, columns and keys."""
