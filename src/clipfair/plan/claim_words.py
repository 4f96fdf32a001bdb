"""Meaning of words in claims, separate from the plan so that builders of tables do not depend on the plan."""

# The world of a claim about all worlds of its question.
ALL_WORLDS = "all three"
# The λ of runs that validation chooses.
CHOSEN = "chosen"


def worlds_of(world: str, worlds: list[str]) -> list[str]:
    """The worlds of a question that a claim is about."""
    return worlds if world == ALL_WORLDS else [world]
