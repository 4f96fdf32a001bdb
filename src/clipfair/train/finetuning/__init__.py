"""Code that all fine-tunings share: examples, batches, and the validation after each epoch."""
