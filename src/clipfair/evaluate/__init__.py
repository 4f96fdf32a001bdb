"""Evaluate: embeddings of images and texts, and the metrics of both papers computed from them."""
