"""What words of claims stand for; apart from the plan, so that builders of tables do not depend on it."""

# The world of a claim about all worlds of its question.
ALL_WORLDS = "all three"
# The λ of runs that validation chooses.
CHOSEN = "chosen"


def worlds_of(world: str, worlds: list[str]) -> list[str]:
    """The worlds that a claim is about, of those of its question."""
    return worlds if world == ALL_WORLDS else [world]
