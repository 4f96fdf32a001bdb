"""Loaders, one module per dataset and named like its id: ``load(folder)`` returns its table."""
