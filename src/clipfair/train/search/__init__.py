"""Search for settings with Optuna: any objective, trials kept in a file that jobs share and go on from."""
