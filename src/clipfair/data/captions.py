"""Captions, truncated as in the released FairCLIP code."""


def truncate(text: str, max_characters: int) -> str:
    """Return at most the first ``max_characters`` characters, without a last word that would be split.

    >>> truncate("a photo of glaucoma", 12)
    'a photo of'
    """
    if len(text) <= max_characters or text[max_characters - 1] == " ":
        return text[:max_characters].rstrip()
    return text[:max_characters].rpartition(" ")[0]
