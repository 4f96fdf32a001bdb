"""Metrics of both papers: group fairness, distances between scores, intervals, statistics over runs."""
