"""What all fine-tunings share: examples, batches, validation after each epoch."""
