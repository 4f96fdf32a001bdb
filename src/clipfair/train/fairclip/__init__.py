"""The FairCLIP objective: scores, distances between groups, half precision."""
