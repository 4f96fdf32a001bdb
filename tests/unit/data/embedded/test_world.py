"""Settings: the planted associations are correct, and impossible settings are refused."""

import itertools
from pathlib import Path

import pytest

from clipfair.core.errors import UserError
from clipfair.data.embedded.fundus_settings import FundusSettings
from clipfair.data.embedded.planted import gender_shares, occupation_rates, planted_associations
from clipfair.data.embedded.web_settings import Proxy, Rates, WebSettings
from clipfair.data.embedded.world import PART_SETTINGS, make_settings

PAGE = Path(__file__).parents[4] / "docs/synthetic-data.md"
TOO_MANY = {name: {"men": 0.6, "women": 0.1} for name in ("nurse", "cook")}


def test_planted_associations_are_those_of_the_enumerated_world():
    """Sum over every kind of image: no gender, man, woman; occupation or not; proxy or not."""
    settings = WebSettings(
        share_people=0.6,
        share_men=0.7,
        owned=0.25,
        share_men_owners=0.2,
        ungendered=0.5,
        occupations={"nurse": Rates(men=0.1, women=0.4), "cook": Rates(men=0.3, women=0.2)},
        proxies={"book": Proxy(occupation="nurse", with_occupation=0.8, men=0.05, women=0.25)},
    )
    cells = []  # (probability, is a man, is a woman, occupation, has the book)
    for gender, share in (("men", 0.6 * 0.7 + 0.1 * 0.2), ("women", 0.6 * 0.3 + 0.1 * 0.8)):
        rates = {name: getattr(rate, gender) for name, rate in settings.occupations.items()}
        rates[None] = 1 - sum(rates.values())
        for (occupation, rate), book in itertools.product(rates.items(), (True, False)):
            with_book = 0.8 if occupation == "nurse" else {"men": 0.05, "women": 0.25}[gender]
            weight = share * rate * (with_book if book else 1 - with_book)
            cells.append((weight, gender == "men", gender == "women", occupation, book))
    # 0.6 have a person and a quarter of the others an owner: 0.44 are men, 0.26 women, 0.3 neither.
    # Among those with neither, everything is half as common as in the others.
    men, women = 0.44 / 0.7, 0.26 / 0.7
    nurse, cook = 0.5 * (men * 0.1 + women * 0.4), 0.5 * (men * 0.3 + women * 0.2)
    book = 0.5 * (men * 0.05 + women * 0.25)
    for occupation, rate in (("nurse", nurse), ("cook", cook), (None, 1 - nurse - cook)):
        with_book = 0.8 if occupation == "nurse" else book
        for has, share in ((True, with_book), (False, 1 - with_book)):
            cells.append((0.3 * rate * share, False, False, occupation, has))

    def probability(event, given):
        return sum(c[0] for c in cells if event(c) and given(c)) / sum(c[0] for c in cells if given(c))

    planted = planted_associations(settings).set_index("attribute")
    assert len(planted) == 3
    for name, event in (
        ("occupation=nurse", lambda c: c[3] == "nurse"),
        ("occupation=cook", lambda c: c[3] == "cook"),
        ("proxy=book", lambda c: c[4]),
    ):
        row = planted.loc[name]
        man = probability(event, lambda c: c[1])
        assert row["given_man"] == pytest.approx(man)
        assert row["given_woman"] == pytest.approx(probability(event, lambda c: c[2]))
        assert row["given_none"] == pytest.approx(probability(event, lambda c: not c[1] and not c[2]))
        assert row["association"] == pytest.approx(man - probability(event, lambda c: not c[1]))


def test_the_table_of_the_documentation_is_current():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith(("| occupation=", "| proxy="))
    ]
    planted = planted_associations(WebSettings())
    assert [row[0] for row in rows] == planted["attribute"].tolist()
    for row, expected in zip(rows, planted.drop(columns="attribute").to_numpy(), strict=True):
        assert [float(cell) for cell in row[1:]] == pytest.approx(expected, abs=5.1e-4)


def test_without_association_nothing_depends_on_gender():
    planted = planted_associations(WebSettings(association=0))
    assert planted["given_man"].to_numpy() == pytest.approx(planted["given_woman"].to_numpy())
    assert planted["association"].to_numpy() == pytest.approx(0, abs=1e-12)


def test_association_keeps_how_common_an_occupation_is():
    for association in (0, 0.5, 1):
        settings = WebSettings(association=association)
        for name, rate in occupation_rates(settings).items():
            before = settings.occupations[name]
            men, women = gender_shares(settings)
            assert men * rate.men + women * rate.women == pytest.approx(
                men * before.men + women * before.women
            )


def test_frequency_is_a_factor_of_all_associations():
    whole, third = (planted_associations(WebSettings(frequency=factor, proxies={})) for factor in (1, 1 / 3))
    columns = ["given_man", "given_woman", "given_none", "association"]
    assert 3 * third[columns].to_numpy() == pytest.approx(whole[columns].to_numpy())


def test_settings_are_made_from_nested_mappings():
    made = make_settings(
        "web",
        {
            "pairs": 10,
            "look": {"beard_men": 0.25},
            "occupations": {"nurse": {"men": 0.1, "women": 0.2}},
            "proxies": {},
        },
    )
    assert made.pairs == 10
    assert made.look.beard_men == 0.25
    assert made.occupations == {"nurse": Rates(men=0.1, women=0.2)}
    assert made.shard_size == WebSettings().shard_size


@pytest.mark.parametrize("part", PART_SETTINGS)
def test_defaults_need_no_values(part):
    assert make_settings(part, {}) == PART_SETTINGS[part]()


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("wep", {}, "unknown part of the synthetic world 'wep' .did you mean 'web'.*; known: captions"),
        ("web", {"pear": 3}, "web: unknown setting 'pear'.*; known: .*pairs"),
        ("web", {"look": {"beard": 1}}, "web.look: unknown setting 'beard'"),
        ("web", {"look": 0.5}, "web.look: 0.5 should be a mapping"),
        ("web", {"occupations": [1]}, r"web.occupations: \[1\] should be a mapping"),
        ("web", {"occupations": {"nurse": {"men": 0.1}}}, "web.occupations.nurse: .*women"),
        ("web", {"occupations": {"astronaut": {"men": 0.1, "women": 0.1}}}, "unknown occupation 'astronaut'"),
        ("web", {"occupations": {}}, "unknown occupation of a proxy"),
        ("web", {"pairs": 0}, "web.pairs: 0 should be greater than or equal to 1"),
        ("web", {"pairs": 2.5}, "web.pairs: 2.5 should be a valid integer"),
        ("web", {"pairs": True}, "web.pairs: True should be a valid integer"),
        ("web", {"share_men": 1.2}, "web.share_men: 1.2 should be less than or equal to 1"),
        ("web", {"share_men": "half"}, "web.share_men: 'half' should be a valid number"),
        ("web", {"share_men": float("nan")}, "web.share_men: nan should be"),
        ("web", {"share_people": 0.39}, "greater than or equal to 0.4"),
        ("web", {"association": 1.5}, "web.association: 1.5 should be less than or equal to 1"),
        (
            "web",
            {"occupations": TOO_MANY, "proxies": {}},
            "the shares of men in occupations sum to 1.200",
        ),
        ("textures", {"per_class": 10}, "multiple of 3"),
        ("objects", {"size": 64}, "objects.size: 64 should be 32"),
        ("fundus", {"gender": {"female": 0.5, "male": 0.4}}, "the shares of gender sum to 0.9"),
        ("fundus", {"race": {"green": 1.0}}, "unknown group of race 'green'"),
        (
            "fundus",
            {"glaucoma_rates": {"race=asian": 1.0}},
            "glaucoma_rates.race=asian: 1.0 should be less than 1",
        ),
        ("fundus", {"glaucoma_rates": {"asian": 0.5}}, "unknown group of glaucoma_rates 'asian'"),
        ("fundus", {"noise": {"white": 0.1}}, "noise lacks the race group asian, black"),
        ("fundus", {"cup_shift": {"green": 0.1}}, "unknown group of cup_shift 'green'"),
        (
            "fundus",
            {"cup_shift": {"black": 0.4}},
            "cup_shift of black: the mean is 1.030; expected 0.15 to 0.95",
        ),
        ("fundus", {"background_shift": {"black": -0.5}}, "background_shift.black: -0.5 should be greater"),
    ],
)
def test_impossible_settings_are_refused_in_one_line(part, values, message):
    with pytest.raises(UserError, match=message) as caught:
        make_settings(part, values)
    assert "\n" not in str(caught.value)


def test_published_shares_are_the_published_counts():
    """Of 10,000 people: fairness attributes of data_summary.csv, summed over its three splits."""
    settings = FundusSettings()
    counts = {"asian": 601 + 60 + 158, "black": 1027 + 159 + 305, "white": 5372 + 781 + 1537}
    assert {group: round(share * 10_000) for group, share in settings.race.items()} == counts
    counts = {"female": 3964 + 571 + 1096, "male": 3036 + 429 + 904}
    assert {group: round(share * 10_000) for group, share in settings.gender.items()} == counts
    counts = {"english": 6466 + 916 + 1868, "spanish": 123 + 22 + 31, "other": 76, "unknown": 356 + 52 + 90}
    assert {group: round(share * 10_000) for group, share in settings.language.items()} == counts
    counts = {"non-hispanic": 6343 + 903 + 1816, "hispanic": 279 + 43 + 76, "unknown": 378 + 54 + 108}
    assert {group: round(share * 10_000) for group, share in settings.ethnicity.items()} == counts
