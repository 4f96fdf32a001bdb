"""Training: one loop for pretraining and fine-tuning, on one core or many GPUs, that can be stopped."""
