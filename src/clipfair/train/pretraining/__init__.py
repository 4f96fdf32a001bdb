"""Contrastive pretraining: pairs, losses over large batches."""
