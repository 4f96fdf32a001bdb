"""Evaluate: the metrics of both papers, from embeddings alone; no model is run here."""
