"""One loader per dataset: ``load(folder)`` returns its table."""
