"""Every number that is planted in the embedded world: the settings of each part, checked.

A part is one dataset. What is planted in the web part, and what a correct pipeline must therefore
find, is computed by :func:`planted_associations`; ``docs/embedded-world.md`` tells the rest.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, get_args

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.data.embedded import glyphs


def _check_counts(settings: Any, *, zero: tuple[str, ...] = ()) -> None:
    for item in fields(settings):
        value = getattr(settings, item.name)
        least = 0 if item.name in zero else 1
        # type(), since True is an int.
        if item.type is int and (type(value) is not int or value < least):
            raise UserError(f"{item.name} is {value!r}; expected a whole number of at least {least}")


def _check_shares(settings: Any) -> None:
    for item in fields(settings):
        value = getattr(settings, item.name)
        numbers = value if item.type == Mapping[str, float] else {item.name: value}
        if item.type not in (float, Mapping[str, float]):
            continue
        for name, number in numbers.items():
            if not isinstance(number, int | float) or not 0 <= number <= 1:
                where = f"{type(settings).__name__}.{item.name}"
                raise UserError(f"{where}: {name} is {number!r}; expected 0 to 1")


def _check_inner(rates: Mapping[str, float]) -> None:
    for group, rate in rates.items():
        if not 0 < rate < 1:
            raise UserError(f"rate of glaucoma: {group} is {rate}; expected a number above 0 and below 1")


def _check_known(what: str, names: Any, known: Any) -> None:
    for name in names:
        if name not in known:
            raise UserError(f"unknown {what} {name!r}; known: {', '.join(sorted(known))}")


@dataclass(frozen=True)
class LookSettings:
    """How often a perceived gender shows in how people look; shares in [0, 1]."""

    long_hair_women: float = 0.95
    long_hair_men: float = 0.05
    beard_men: float = 0.6
    red_lips_women: float = 0.9

    def __post_init__(self) -> None:
        _check_shares(self)


@dataclass(frozen=True)
class Rates:
    """The share of men, and of women, for whom something is so."""

    men: float
    women: float

    def __post_init__(self) -> None:
        _check_shares(self)


@dataclass(frozen=True)
class Proxy:
    """How often a proxy is beside a person.

    ``with_occupation`` is its share among people of the occupation, whatever their gender; ``men``
    and ``women`` are its shares among all others.
    """

    occupation: str
    with_occupation: float
    men: float
    women: float

    def __post_init__(self) -> None:
        _check_shares(self)


@dataclass(frozen=True)
class MentionSettings:
    """How often a caption mentions what is there; shares in [0, 1].

    ``object`` is one beside a person, ``owned`` one whose owner the caption speaks of instead.
    """

    gender: float = 0.55
    occupation: float = 0.85
    proxy: float = 0.7
    object: float = 0.95
    owned: float = 0.5
    background: float = 0.5
    colours: float = 0.5

    def __post_init__(self) -> None:
        _check_shares(self)


@dataclass(frozen=True)
class AnnotatorErrors:
    """The share of true bits that an annotator misses, and of false bits that it invents."""

    missed: float
    invented: float

    def __post_init__(self) -> None:
        _check_shares(self)


def _occupations() -> dict[str, Rates]:
    return {
        "baker": Rates(0.015, 0.050),
        "carpenter": Rates(0.060, 0.005),
        "construction worker": Rates(0.060, 0.005),
        "cook": Rates(0.040, 0.020),
        "farmer": Rates(0.060, 0.010),
        "hairdresser": Rates(0.010, 0.075),
        "lawyer": Rates(0.050, 0.020),
        "librarian": Rates(0.010, 0.060),
        "mechanic": Rates(0.065, 0.005),
        "nurse": Rates(0.005, 0.090),
        "secretary": Rates(0.005, 0.075),
        "teacher": Rates(0.020, 0.070),
    }


def _proxies() -> dict[str, Proxy]:
    return {
        "board": Proxy("teacher", 0.6, 0.02, 0.05),
        "book": Proxy("librarian", 0.6, 0.03, 0.07),
        "briefcase": Proxy("lawyer", 0.6, 0.06, 0.02),
        "comb": Proxy("hairdresser", 0.6, 0.01, 0.05),
        "computer": Proxy("secretary", 0.6, 0.04, 0.04),
        "flour": Proxy("baker", 0.6, 0.01, 0.04),
        "helmet": Proxy("construction worker", 0.6, 0.06, 0.01),
        "tools": Proxy("mechanic", 0.6, 0.07, 0.01),
    }


@dataclass(frozen=True)
class WebSettings:
    """Pretraining pairs.

    Parameters
    ----------
    size
        Pixels to a side.
    pairs, shard_size
        How many in all, and in a shard.
    share_people
        The share of pictures with a person; at least 0.4.
    share_men
        The share of men among people; the others are women.
    owned, share_men_owners
        The share of pictures without people whose object or uniform is someone's, of whom only the
        caption speaks, and the share of men among these owners. Where it is above that among people,
        a model learns that men go with what is no person: representation bias.
    association
        In [0, 1]: how far men and women differ in occupations and proxies; 0 not at all, 1 as
        ``occupations`` and ``proxies`` say. How common each is in all stays the same.
    ungendered
        How common an occupation or a proxy is in pictures with neither person nor owner, as a multiple
        in [0, 1] of how common it is in the others. At 0, nothing but dropping all of them could make
        them independent of men and of women at once.
    uniform_shown
        The share of occupations that show: as a uniform, worn or hung up. The others stand in the
        caption alone; to match it to a person a model can only go by gender and proxies.
    close_up
        The share of people without a uniform who are seen near, face only.
    object_beside
        The share of people with an object beside them.
    share_textures
        The share of textures among pictures with neither person, owner nor occupation; the others of
        these show an object.
    mismatched
        The share of pairs whose caption belongs to another picture.
    noise
        Standard deviation of each pixel's noise, of 1.
    occupations, proxies
        By name; no other than those of ``glyphs`` can be drawn.
    image_errors, text_errors
        Of the simulated annotators of each modality.
    """

    size: int = 32
    pairs: int = 24_000
    shard_size: int = 4_000
    share_people: float = 0.55
    share_men: float = 0.65
    owned: float = 0.3
    share_men_owners: float = 0.85
    association: float = 1.0
    ungendered: float = 1.0
    uniform_shown: float = 0.6
    close_up: float = 0.3
    object_beside: float = 0.2
    share_textures: float = 0.4
    mismatched: float = 0.03
    noise: float = 0.03
    occupations: Mapping[str, Rates] = field(default_factory=_occupations)
    proxies: Mapping[str, Proxy] = field(default_factory=_proxies)
    mentions: MentionSettings = MentionSettings()
    look: LookSettings = LookSettings()
    image_errors: AnnotatorErrors = AnnotatorErrors(missed=0.10, invented=0.005)
    text_errors: AnnotatorErrors = AnnotatorErrors(missed=0.02, invented=0.001)

    def __post_init__(self) -> None:
        _check_counts(self)
        _check_shares(self)
        if self.share_people < 0.4:
            raise UserError(f"share_people is {self.share_people}; expected at least 0.4")
        _check_known("occupation", self.occupations, glyphs.UNIFORMS)
        _check_known("proxy", self.proxies, glyphs.PROXIES)
        _check_known("occupation of a proxy", [p.occupation for p in self.proxies.values()], self.occupations)
        for gender in ("men", "women"):
            total = sum(getattr(rates, gender) for rates in self.occupations.values())
            if total > 1:
                raise UserError(f"occupations: the shares of {gender} sum to {total:.3f}; expected at most 1")

    def gender_shares(self) -> tuple[float, float]:
        """The share of pictures whose person or owner is a man, and a woman."""
        owned = (1 - self.share_people) * self.owned
        men = self.share_people * self.share_men + owned * self.share_men_owners
        return men, self.share_people + owned - men

    def occupation_rates(self) -> dict[str, Rates]:
        """P(occupation | gender) with ``association`` applied."""
        return {name: Rates(*self._associate(rate)) for name, rate in self.occupations.items()}

    def proxy_rates(self) -> dict[str, Rates]:
        """P(proxy | gender, another occupation or none) with ``association`` applied."""
        return {name: Rates(*self._associate(proxy)) for name, proxy in self.proxies.items()}

    def ungendered_rate(self, rates: Rates) -> float:
        """P(the same | neither person nor owner)."""
        return self.ungendered * self._mean(rates)

    def _mean(self, rates: Rates | Proxy) -> float:
        men, women = self.gender_shares()
        return (men * rates.men + women * rates.women) / (men + women)

    def _associate(self, rates: Rates | Proxy) -> tuple[float, float]:
        mean = self._mean(rates)
        return (
            mean + self.association * (rates.men - mean),
            mean + self.association * (rates.women - mean),
        )


def planted_associations(settings: WebSettings) -> pd.DataFrame:
    """What the web part's truth converges to, in closed form.

    Returns
    -------
    One row for each occupation and proxy: ``attribute`` (``occupation=nurse``), ``given_man``,
    ``given_woman``, ``given_none`` (its probability given each gender, of a person or an owner, and
    given neither) and ``association``: its probability given a man less that given anything else
    (Definition 2 with s = man).
    """
    rows = []
    own = settings.occupation_rates()
    for name, rate in own.items():
        rows.append((f"occupation={name}", rate.men, rate.women, settings.ungendered_rate(rate)))
    for name, other in settings.proxy_rates().items():
        proxy = settings.proxies[name]
        work = own[proxy.occupation]
        pairs = (
            (work.men, other.men),
            (work.women, other.women),
            (settings.ungendered_rate(work), settings.ungendered_rate(other)),
        )
        rates = [at_work * proxy.with_occupation + (1 - at_work) * rest for at_work, rest in pairs]
        rows.append((f"proxy={name}", *rates))
    planted = pd.DataFrame(rows, columns=["attribute", "given_man", "given_woman", "given_none"])
    men, women = settings.gender_shares()
    others = (planted["given_woman"] * women + planted["given_none"] * (1 - men - women)) / (1 - men)
    return planted.assign(association=planted["given_man"] - others)


@dataclass(frozen=True)
class FaceSettings:
    """Faces with age, gender and race, split in train and val; no occupation shows."""

    size: int = 32
    train: int = 1_200
    val: int = 600
    share_men: float = 0.53
    noise: float = 0.03
    look: LookSettings = LookSettings()

    def __post_init__(self) -> None:
        _check_counts(self)
        _check_shares(self)


@dataclass(frozen=True)
class NamedFaceSettings:
    """Faces whose labels are their names; the names of the last ``malformed`` lack a field."""

    size: int = 32
    images: int = 400
    malformed: int = 2
    share_men: float = 0.52
    noise: float = 0.03
    look: LookSettings = LookSettings()

    def __post_init__(self) -> None:
        _check_counts(self, zero=("malformed",))
        _check_shares(self)


@dataclass(frozen=True)
class SceneSettings:
    """Pictures of one or two people with boxes; no occupation shows.

    ``share_unknown`` of the people are seen from behind; ``second_person`` is the share of pictures
    with two.
    """

    size: int = 32
    train: int = 200
    val: int = 100
    test: int = 400
    share_men: float = 0.5
    share_unknown: float = 0.1
    second_person: float = 0.3
    noise: float = 0.03
    look: LookSettings = LookSettings()

    def __post_init__(self) -> None:
        _check_counts(self)
        _check_shares(self)


@dataclass(frozen=True)
class ObjectSettings:
    """Pictures of one object each, no people."""

    size: int = 32
    train_per_class: int = 40
    test_per_class: int = 25
    noise: float = 0.03

    def __post_init__(self) -> None:
        _check_counts(self)
        _check_shares(self)
        if self.size != 32:
            raise UserError(f"size of the objects is {self.size}; CIFAR-100's files hold 32 x 32 pixels")


@dataclass(frozen=True)
class TextureSettings:
    """Pictures of one texture each; a third of each class is in train, val and test of each of ten splits."""

    size: int = 32
    per_class: int = 60
    noise: float = 0.03

    def __post_init__(self) -> None:
        _check_counts(self)
        _check_shares(self)
        if self.per_class % 3:
            raise UserError(f"per_class of the textures is {self.per_class}; expected a multiple of 3")


@dataclass(frozen=True)
class CaptionSettings:
    """Pictures with ``per_image`` captions each, each of which mentions what it likes of the same picture."""

    size: int = 32
    val: int = 100
    test: int = 400
    per_image: int = 5
    share_people: float = 0.6
    share_men: float = 0.5
    with_occupation: float = 0.6
    noise: float = 0.03
    mentions: MentionSettings = MentionSettings(
        gender=0.7, occupation=0.9, proxy=0.8, object=0.95, background=0.8, colours=0.8
    )
    look: LookSettings = LookSettings()

    def __post_init__(self) -> None:
        _check_counts(self)
        _check_shares(self)


def _groups(**shares: float) -> dict[str, float]:
    return {name.replace("_", "-"): share for name, share in shares.items()}


@dataclass(frozen=True)
class FundusSettings:
    """Fundus images with notes, glaucoma and four attributes.

    The shares of the attributes and the rates of glaucoma are those published for
    Harvard-FairVLMed (its data_summary.csv: 10,000 people; rates of its training split). Attributes
    are drawn independently of each other; a person's log-odds of glaucoma are those of
    ``glaucoma_rate`` plus, for each attribute, how far the group's own rate in ``glaucoma_rates`` is
    from it; a group that is not there has none of its own.

    Parameters
    ----------
    train, validation, test
        Numbers of people; the published dataset has 7,000, 1,000 and 2,000.
    unknown_language_as_other
        The share of unknown languages that the npz files code as other (2) instead of unknown (-1):
        inferred for the published files.
    cup_healthy, cup_glaucoma, cup_spread
        Mean and standard deviation of the vertical cup-to-disc ratio.
    noise
        Standard deviation of the image's noise, by race: image quality depends on the group.
    findings
        How often a note tells the findings, by language: note style depends on the group.
    diagnosis
        How often a note names the diagnosis.
    """

    size: int = 64
    train: int = 2_100
    validation: int = 300
    test: int = 600
    race: Mapping[str, float] = field(
        default_factory=lambda: _groups(asian=0.0819, black=0.1491, white=0.7690)
    )
    gender: Mapping[str, float] = field(default_factory=lambda: _groups(female=0.5631, male=0.4369))
    ethnicity: Mapping[str, float] = field(
        default_factory=lambda: _groups(non_hispanic=0.9062, hispanic=0.0398, unknown=0.0540)
    )
    language: Mapping[str, float] = field(
        default_factory=lambda: _groups(english=0.9250, spanish=0.0176, other=0.0076, unknown=0.0498)
    )
    unknown_language_as_other: float = 0.87
    glaucoma_rate: float = 0.505
    glaucoma_rates: Mapping[str, float] = field(
        default_factory=lambda: {
            "race=asian": 0.479,
            "race=black": 0.651,
            "race=white": 0.480,
            "gender=female": 0.492,
            "gender=male": 0.522,
            "ethnicity=hispanic": 0.552,
            "language=english": 0.499,
            "language=spanish": 0.675,
            "language=unknown": 0.722,
        }
    )
    cup_healthy: float = 0.45
    cup_glaucoma: float = 0.63
    cup_spread: float = 0.10
    noise: Mapping[str, float] = field(default_factory=lambda: _groups(asian=0.10, black=0.30, white=0.10))
    findings: Mapping[str, float] = field(
        default_factory=lambda: _groups(english=0.9, spanish=0.6, other=0.6, unknown=0.8)
    )
    diagnosis: float = 0.9

    def __post_init__(self) -> None:
        _check_counts(self)
        _check_shares(self)
        attributes = ("race", "gender", "ethnicity", "language")
        for name in attributes:
            shares: Mapping[str, float] = getattr(self, name)
            _check_known(f"group of {name}", shares, FUNDUS_CODES[name])
            if not math.isclose(sum(shares.values()), 1, abs_tol=1e-9):
                raise UserError(f"the shares of {name} sum to {sum(shares.values())}; expected 1")
        groups = {f"{name}={group}" for name in attributes for group in FUNDUS_CODES[name]}
        _check_known("group of glaucoma_rates", self.glaucoma_rates, groups)
        _check_inner({"glaucoma_rate": self.glaucoma_rate, **self.glaucoma_rates})
        for name, of in (("noise", "race"), ("findings", "language")):
            lacking = set(getattr(self, of)) - set(getattr(self, name))
            if lacking:
                raise UserError(f"{name} lacks the {of} group {', '.join(sorted(lacking))}")


# The codes of the npz files.
FUNDUS_CODES: dict[str, dict[str, int]] = {
    "race": {"asian": 0, "black": 1, "white": 2},
    "gender": {"female": 0, "male": 1},
    "ethnicity": {"non-hispanic": 0, "hispanic": 1, "unknown": -1},
    "language": {"english": 0, "spanish": 1, "other": 2, "unknown": -1},
    "maritalstatus": {
        "married or partnered": 0,
        "single": 1,
        "divorced": 2,
        "widowed": 3,
        "legally separated": 4,
        "unknown": -1,
    },
}

Settings = (
    WebSettings
    | FaceSettings
    | NamedFaceSettings
    | SceneSettings
    | ObjectSettings
    | TextureSettings
    | CaptionSettings
    | FundusSettings
)

SETTINGS: dict[str, type[Settings]] = {
    "web": WebSettings,
    "faces": FaceSettings,
    "named-faces": NamedFaceSettings,
    "scenes": SceneSettings,
    "objects": ObjectSettings,
    "textures": TextureSettings,
    "captions": CaptionSettings,
    "fundus": FundusSettings,
}


def make_settings(part: str, values: Mapping[str, Any]) -> Settings:
    """The settings of a part: its defaults but for ``values``, as a configuration file has them.

    Raises
    ------
    UserError
        If the part or a name is unknown, or a number cannot be.
    """
    _check_known("part of the embedded world", [part], SETTINGS)
    return _build(SETTINGS[part], values, where=part)


def _build(kind: type, values: Any, *, where: str) -> Any:
    if not isinstance(values, Mapping):
        raise UserError(f"{where}: expected a mapping, got {values!r}")
    known = {item.name: item for item in fields(kind)}
    _check_known(f"setting of {where}", values, known)
    try:
        return kind(
            **{name: _value(known[name].type, value, f"{where}.{name}") for name, value in values.items()}
        )
    except TypeError as error:
        # A number that is a text or is missing.
        raise UserError(f"{where}: {error}") from None


def _value(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind):
        return _build(kind, value, where=where)
    arguments = get_args(kind)
    if arguments and not isinstance(value, Mapping):
        raise UserError(f"{where}: expected a mapping, got {value!r}")
    if arguments and is_dataclass(arguments[-1]):
        return {name: _build(arguments[-1], item, where=f"{where}.{name}") for name, item in value.items()}
    return value
