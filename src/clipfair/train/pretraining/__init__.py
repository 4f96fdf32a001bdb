"""Contrastive pretraining: pairs of images and texts, batches, the contrastive objective."""
