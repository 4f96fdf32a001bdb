"""Training: one resumable loop for pretraining and fine-tuning, on one core or many GPUs."""
