"""Linear probes of frozen features: of embeddings, or of augmented images."""
