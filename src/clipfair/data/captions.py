"""Captions, cut as the released FairCLIP code cuts its notes."""


def cut(text: str, most: int) -> str:
    """The first ``most`` characters, without a last word that they cut through (as in the released code).

    >>> cut("a photo of glaucoma", 12)
    'a photo of'
    """
    if len(text) <= most or text[most - 1] == " ":
        return text[:most].rstrip()
    return text[:most].rpartition(" ")[0]
