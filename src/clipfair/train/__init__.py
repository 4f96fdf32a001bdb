"""Training: one loop for pretraining and fine-tuning, on one core or many GPUs, that goes on where it was stopped."""
