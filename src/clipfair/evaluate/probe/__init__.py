"""Linear probes that augment the pictures they are fitted to: a frozen model is run at every step."""
