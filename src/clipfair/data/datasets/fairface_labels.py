"""FairFace's label files without the images: real attributes to be balanced."""

from clipfair.data.datasets.fairface import load_labels as load

__all__ = ["load"]
