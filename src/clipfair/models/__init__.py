"""CLIP models: image and text towers, tokenizers, published weights."""
