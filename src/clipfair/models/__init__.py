"""CLIP models: towers, tokenizers, published weights."""
