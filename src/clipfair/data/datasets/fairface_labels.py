"""FairFace's label files without the images: real attributes for data balancing."""

from clipfair.data.datasets.fairface import load_labels as load

__all__ = ["load"]
