"""Hyperparameter search with Optuna: trials are stored in a file that jobs share and continue from."""
