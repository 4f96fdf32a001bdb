"""Captions, cut and processed as in the released FairCLIP code."""

# The characters that BLIP's caption processor replaces by spaces.
_REPLACED = str.maketrans(dict.fromkeys('.!"()*#:;~', " "))


def truncate(text: str, max_characters: int) -> str:
    """Return at most the first ``max_characters`` characters, without a last word that would be split.

    >>> truncate("a photo of glaucoma", 12)
    'a photo of'
    """
    if len(text) <= max_characters or text[max_characters - 1] == " ":
        return text[:max_characters].rstrip()
    return text[:max_characters].rpartition(" ")[0]


def blip_caption(text: str, max_words: int) -> str:
    """Return a text as LAVIS's ``BlipCaptionProcessor`` does: lower case, fewer marks, at most ``max_words``.

    >>> blip_caption('No sign of "glaucoma"; IOP: 14.', 5)
    'no sign of glaucoma iop'
    """
    return " ".join(text.lower().translate(_REPLACED).split()[:max_words])
