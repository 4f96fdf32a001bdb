"""Embed: images and texts of every evaluation, once per checkpoint and dataset."""
