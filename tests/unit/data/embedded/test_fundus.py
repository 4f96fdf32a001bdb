"""The fundus part: FairVLMed's files, published shares, and glaucoma that is visible in the image."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from clipfair.data.datasets import harvard_fairvlmed
from clipfair.data.embedded.fundus import draw_fundus
from clipfair.data.embedded.fundus_settings import FUNDUS_CODES, FundusSettings
from clipfair.data.embedded.generate import generate_world

SETTINGS = FundusSettings(train=300, validation=90, test=210)


def settings_with(**changes):
    return FundusSettings(**dict(SETTINGS) | changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "fundus"
    generate_world("fundus", SETTINGS, 0, folder)
    return folder


@pytest.fixture(scope="module")
def summary(folder):
    return pd.read_csv(folder / "data_summary.csv", keep_default_na=False)


def npz(folder, number):
    place = "Training" if number <= 300 else "Validation" if number <= 390 else "Test"
    return np.load(folder / place / f"data_{number:05d}.npz", allow_pickle=False)


def test_the_loader_reads_it_and_applies_the_unknown_rule(folder):
    frame = harvard_fairvlmed.load(folder)
    assert frame["split"].value_counts().to_dict() == {"train": 300, "test": 210, "val": 90}
    attributes = ["race", "gender", "ethnicity", "language"]
    unknown = frame[attributes].isna().any(axis=1)
    assert unknown.any()
    assert (frame["used"] == ((frame["split"] == "train") | ~unknown)).all()


def test_an_npz_has_every_key_and_its_image(folder):
    arrays = npz(folder, 301)
    assert set(arrays) == {
        *("slo_fundus", "md", "tds", "age", "gender", "race", "ethnicity", "language", "maritalstatus"),
        *("glaucoma", "note", "note_extra"),
    }
    assert arrays["tds"].shape == (52,)
    image = np.asarray(Image.open(folder / "Validation/slo_fundus_00301.jpg"), dtype=float)
    assert np.abs(image - arrays["slo_fundus"]).mean() < 5


def test_codes_are_those_of_the_summary(folder, summary):
    for number in range(1, 601, 9):
        row, arrays = summary.iloc[number - 1], npz(folder, number)
        for name in ("race", "gender", "ethnicity", "maritalstatus"):
            assert arrays[name].item() == FUNDUS_CODES[name][row[name]]
        assert arrays["age"].item() == row["age"]
        assert arrays["glaucoma"].item() == (row["glaucoma"] == "yes")
        assert arrays["note"].item() == row["note"]
        assert row["note"] in arrays["note_extra"].item()
        language = arrays["language"].item()
        assert language in (
            {-1, 2} if row["language"] == "unknown" else {FUNDUS_CODES["language"][row["language"]]}
        )


def test_most_unknown_languages_are_coded_as_other(tmp_path):
    settings = settings_with(train=200, validation=1, test=1, language={"unknown": 1.0})
    generate_world("fundus", settings, 0, tmp_path / "fundus")
    codes = [
        np.load(path)["language"].item() for path in sorted((tmp_path / "fundus/Training").glob("*.npz"))
    ]
    assert set(codes) == {-1, 2}
    # Five standard errors of a share among 200.
    assert codes.count(2) / 200 == pytest.approx(settings.unknown_language_as_other, abs=0.12)


@pytest.mark.parametrize("name", ["race", "gender", "ethnicity", "language"])
@pytest.mark.parametrize(("use", "n"), [("training", 300), ("validation", 90), ("test", 210)])
def test_groups_have_their_shares_in_every_split(summary, name, use, n):
    counts = summary[summary["use"] == use][name].value_counts()
    assert counts.sum() == n
    for group, share in getattr(SETTINGS, name).items():
        assert abs(counts.get(group, 0) - share * n) < 1


def test_mean_deviation_agrees_with_the_label(folder, summary):
    deviations = np.array([npz(folder, number)["md"].item() for number in range(1, 301)])
    glaucoma = (summary["glaucoma"] == "yes").to_numpy()[:300]
    assert (deviations[glaucoma] <= -3).all()
    assert (deviations[~glaucoma] >= -1).all()


def test_glaucoma_is_as_common_as_planted(tmp_path):
    settings = settings_with(
        size=8,
        train=1200,
        glaucoma_rate=0.5,
        glaucoma_rates={"gender=female": 0.2, "gender=male": 0.8},
    )
    generate_world("fundus", settings, 0, tmp_path / "fundus")
    people = pd.read_csv(tmp_path / "fundus/data_summary.csv", keep_default_na=False)
    rates = (people["glaucoma"] == "yes").groupby(people["gender"]).mean()
    # Five standard errors of a share of 0.2 among about 300.
    assert rates["female"] == pytest.approx(0.2, abs=0.115)
    assert rates["male"] == pytest.approx(0.8, abs=0.115)


def test_the_image_shows_the_cup_to_disc_ratio():
    cup = np.linspace(0.2, 0.9, 60)
    images = draw_fundus(cup, np.zeros(60), np.zeros(60), 64, np.random.default_rng(0)).astype(float) / 255
    # Bright is the cup, and at least half bright the disc: the ratio of areas is that of heights, squared.
    measured = [np.sqrt((image > 0.75).sum() / (image > 0.5).sum()) for image in images]
    np.testing.assert_allclose(measured, cup, atol=0.04)


def test_glaucoma_is_visible_in_the_image(folder, summary):
    """Brightness alone, which grows with the cup, is far above chance."""
    bright = [(npz(folder, number)["slo_fundus"] > 200).mean() for number in range(1, 601)]
    assert roc_auc_score(summary["glaucoma"] == "yes", bright) > 0.75


def test_noise_depends_on_race():
    settings = FundusSettings()
    cup = np.full(40, 0.5)
    spreads = {}
    for group, noise in settings.noise.items():
        images = (
            draw_fundus(cup, np.full(40, noise), np.zeros(40), 64, np.random.default_rng(0)).astype(float)
            / 255
        )
        # Two neighbouring pixels in a corner differ by their noise alone.
        spreads[group] = np.std(images[:, :8, 1:8] - images[:, :8, :7]) / np.sqrt(2)
    assert spreads["white"] == pytest.approx(settings.noise["white"], rel=0.15)
    assert spreads["black"] > 1.5 * spreads["white"]


def test_notes_contain_the_label_before_they_are_cut(folder):
    notes = pd.read_csv(folder / "gpt-4_summarized_notes.csv")
    assert notes.columns[0] == "filename"
    texts = notes.iloc[:, 2]
    assert texts.str.len().max() <= 180
    assert texts.str[:180].str.contains("glaucoma").mean() == pytest.approx(SETTINGS.diagnosis, abs=0.05)


def test_findings_depend_on_language(tmp_path):
    settings = settings_with(
        size=8, train=400, validation=1, test=1, language={"english": 0.5, "spanish": 0.5}
    )
    generate_world("fundus", settings, 0, tmp_path / "fundus")
    people = pd.read_csv(tmp_path / "fundus/data_summary.csv", keep_default_na=False)
    share = people["gpt4_summary"].str.contains("cup to disc").groupby(people["language"]).mean()
    # Five standard errors of a share among 200.
    assert share["english"] == pytest.approx(settings.findings["english"], abs=0.107)
    assert share["spanish"] == pytest.approx(settings.findings["spanish"], abs=0.174)


def test_the_cup_is_larger_with_and_without_glaucoma_where_a_shift_is_planted(tmp_path):
    shifts = {"black": 0.1, "asian": -0.05}
    race = {"asian": 0.3, "black": 0.3, "white": 0.4}
    settings = settings_with(size=8, train=3000, validation=1, test=1, race=race, cup_shift=shifts)
    generate_world("fundus", settings, 0, tmp_path / "fundus")
    people = pd.read_csv(tmp_path / "fundus/data_summary.csv", keep_default_na=False)
    cup = people["gpt4_summary"].str.extract(r"ratio (\d\.\d)", expand=False).astype(float)
    means = cup.groupby([people["glaucoma"], people["race"]]).mean().unstack()
    for race, shift in shifts.items():
        # Five standard errors of a difference of means of 400 and more values of standard deviation 0.104.
        assert (means[race] - means["white"]).to_numpy() == pytest.approx([shift, shift], abs=0.037)


def test_a_shift_of_the_background_is_seen_at_the_edge_and_leaves_the_cup():
    cup, none = np.full(50, 0.6), np.zeros(50)
    plain, dark = (
        draw_fundus(cup, none, shift, 64, np.random.default_rng(0)).astype(float) / 255
        for shift in (none, np.full(50, -0.1))
    )
    # The brightness of an image varies by a factor of 0.9 to 1.1.
    change = np.median(dark[:, 0] - plain[:, 0], axis=1)
    assert ((change > -0.115) & (change < -0.085)).all()
    np.testing.assert_array_equal(dark > 0.75, plain > 0.75)


def test_shifts_of_zero_change_nothing(tmp_path):
    zero = {"black": 0.0}
    for name, changes in {"without": {}, "with": {"cup_shift": zero, "background_shift": zero}}.items():
        settings = settings_with(train=20, validation=4, test=4, **changes)
        generate_world("fundus", settings, 0, tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "with") for path in (tmp_path / "with").rglob("*.*"))
    assert len(files) == 2 * 28 + 3
    for file in files:
        assert (tmp_path / "with" / file).read_bytes() == (tmp_path / "without" / file).read_bytes(), file
