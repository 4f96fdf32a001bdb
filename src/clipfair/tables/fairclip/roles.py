"""The roles of methods in the findings of the FairCLIP reproduction."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

# The fine-tuned variants of FairCLIP.
VARIANTS = ("released", "corrected", "aligned", "several")


@dataclass(frozen=True)
class Roles:
    """The methods that take part in the findings.

    Attributes
    ----------
    methods
        Role -> method. Roles: ``zero_shot``, ``fine_tuned`` (CLIP-FT), the variants ``released``,
        ``corrected``, ``aligned`` and ``several`` (FairCLIP+), ``mmd_gaussian`` and ``mmd_laplacian``.
    baselines
        Method -> the same training without its fairness loss; ``fine_tuned`` for other methods.
    selection
        Method selected on the test split -> the same method selected on the validation split.
    """

    methods: Mapping[str, str]
    baselines: Mapping[str, str]
    selection: Mapping[str, str]

    @classmethod
    def from_settings(cls, roles: Mapping, baselines: Mapping[str, str]) -> "Roles":
        """The roles in the settings of a table, which has ``selection`` among them, and its baselines."""
        named = {role: method for role, method in roles.items() if role != "selection"}
        return cls(named, baselines, roles.get("selection", {}))

    def all_methods(self) -> list[str]:
        """Every method, once."""
        named = [*self.methods.values(), *self.baselines.values()]
        return list(dict.fromkeys([*named, *self.selection, *self.selection.values()]))

    def among(self, present: Collection[str]) -> "Roles":
        """The roles whose methods are ``present``."""
        methods = {role: method for role, method in self.methods.items() if method in present}
        baselines = {method: other for method, other in self.baselines.items() if other in present}
        pairs = {test: val for test, val in self.selection.items() if {test, val} <= set(present)}
        return Roles(methods, baselines, pairs)

    def get(self, role: str) -> str | None:
        """The method of a role, None if it does not take part."""
        return self.methods.get(role)

    def baseline(self, role: str) -> str | None:
        """The method that a role is compared with, None if it does not take part."""
        return self.baselines.get(self.get(role), self.get("fine_tuned"))

    def pairs(self, *roles: str) -> Iterator[tuple[str, str]]:
        """The method and the baseline of each of ``roles`` that has both."""
        for role in roles:
            method, baseline = self.get(role), self.baseline(role)
            if method is not None and baseline is not None:
                yield method, baseline
