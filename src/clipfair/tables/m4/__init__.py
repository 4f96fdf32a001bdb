"""Tables and figures of CLIP the Bias; a builder and its figure lie side by side."""
