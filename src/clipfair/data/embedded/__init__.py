"""The synthetic world: small datasets with planted biases, in the formats of the real datasets."""
