"""Typed model of the configuration: keys, defaults, checks and descriptions."""
