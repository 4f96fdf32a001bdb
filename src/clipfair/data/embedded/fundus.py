"""Fundus images with notes: the folder of Harvard-FairVLMed.

``Training/``, ``Validation/`` and ``Test/`` with data_NNNNN.npz and slo_fundus_NNNNN.jpg; next to them
data_summary.csv, original_notes.csv and gpt-4_summarized_notes.csv. In the image, glaucoma is visible in the
cup-to-disc ratio alone; noise and background may depend on race, the content of the note on language.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from clipfair.core.io import write_csv
from clipfair.data.embedded.draw import grid, jpeg
from clipfair.data.embedded.fundus_settings import CUP_RANGE, FUNDUS_ATTRIBUTES, FUNDUS_CODES, FundusSettings

# Not published; nothing depends on it.
MARITAL_STATUS = {
    "married or partnered": 0.57,
    "single": 0.25,
    "divorced": 0.07,
    "widowed": 0.07,
    "legally separated": 0.01,
    "unknown": 0.03,
}
AGE_MEAN, AGE_SPREAD, AGE_RANGE = 60.9, 16.2, (18, 95)  # mean and standard deviation as published
FIELD_POINTS = 52
VESSELS = 6
BLOCK = 100  # images drawn together, few enough for the processor's cache


def generate_fundus(folder: Path, settings: FundusSettings, rng: np.random.Generator) -> None:
    """Write the files into ``folder``, numbered consecutively from Training to Test, as published."""
    # Folder: the name of the split in data_summary.csv, and its number of people.
    splits = {
        "Training": ("training", settings.train),
        "Validation": ("validation", settings.validation),
        "Test": ("test", settings.test),
    }
    parts = []
    first = 1
    for name, (use, n) in splits.items():
        (folder / name).mkdir()
        people = _choose_people(n, settings, rng)
        people["use"] = use
        people["number"] = np.arange(first, first + n)
        images = draw_fundus(
            people["cup"].to_numpy(),
            _of(people["race"], settings.noise),
            _shifts_of(people["race"], settings.background_shift),
            settings.size,
            rng,
        )
        for row, image in zip(people.itertuples(index=False), images, strict=True):
            _write_person(folder / name, row, image, rng)
        parts.append(people)
        first += n
    _write_tables(folder, pd.concat(parts, ignore_index=True))


def _choose_people(n: int, settings: FundusSettings, rng: np.random.Generator) -> pd.DataFrame:
    people = pd.DataFrame({name: _apportion(getattr(settings, name), n, rng) for name in FUNDUS_ATTRIBUTES})
    people["maritalstatus"] = _apportion(MARITAL_STATUS, n, rng)
    odds = np.full(n, logit(settings.glaucoma_rate))
    for name in FUNDUS_ATTRIBUTES:
        rates = settings.glaucoma_rates
        own = {
            group: rates.get(f"{name}={group}", settings.glaucoma_rate) for group in getattr(settings, name)
        }
        odds += logit(_of(people[name], own)) - logit(settings.glaucoma_rate)
    glaucoma = rng.random(n) < expit(odds)
    people["glaucoma"] = glaucoma.astype(int)
    people["age"] = np.clip(rng.normal(AGE_MEAN, AGE_SPREAD, n), *AGE_RANGE).round().astype(int)
    mean = np.where(glaucoma, settings.cup_glaucoma, settings.cup_healthy)
    mean = mean + _shifts_of(people["race"], settings.cup_shift)
    people["cup"] = np.clip(rng.normal(mean, settings.cup_spread), *CUP_RANGE)
    # The label's definition: below -3 dB with glaucoma, at least -1 dB without.
    people["md"] = np.where(glaucoma, -3 - rng.exponential(5, n), rng.uniform(-1, 2, n)).round(2)
    unknown = (people["language"] == "unknown") & (rng.random(n) < settings.unknown_language_as_other)
    people["language_code"] = _of(people["language"], FUNDUS_CODES["language"])
    people.loc[unknown, "language_code"] = FUNDUS_CODES["language"]["other"]
    has_findings = rng.random(n) < _of(people["language"], settings.findings)
    has_diagnosis = rng.random(n) < settings.diagnosis
    notes = zip(people.itertuples(index=False), has_findings, has_diagnosis, strict=True)
    people["gpt4_summary"] = [_summary(*note, rng) for note in notes]
    people["note"] = [_note(row, rng) for row in people.itertuples(index=False)]
    return people


def _apportion(shares: Mapping[str, float], n: int, rng: np.random.Generator) -> np.ndarray:
    """n names in random order, each as often as its share requires, rounded by largest remainders."""
    exact = np.array(list(shares.values())) * n
    counts = np.floor(exact).astype(int)
    last = np.argsort(counts - exact, kind="stable")[: n - counts.sum()]
    counts[last] += 1
    return rng.permutation(np.repeat(np.array(list(shares), dtype=object), counts))


def _of(groups: pd.Series, values: Mapping[str, float]) -> np.ndarray:
    return groups.map(dict(values)).to_numpy()


def _shifts_of(groups: pd.Series, shifts: Mapping[str, float]) -> np.ndarray:
    """The shift of each one's group, (n,) float; 0 for a group without one."""
    return groups.map(dict(shifts)).astype(float).fillna(0.0).to_numpy()


def _summary(row: tuple, has_findings: bool, has_diagnosis: bool, rng: np.random.Generator) -> str:
    """One to four sentences; the label is within the first 180 characters, after which notes are cut."""
    sentences = [f"{row.age} year old {row.gender} patient."]
    if has_diagnosis:
        named = "glaucoma" if row.glaucoma else "non-glaucoma"
        sentences.append(
            str(rng.choice([f"Diagnosis: {named}.", f"Assessment is {named}.", f"Presents with {named}."]))
        )
    if has_findings:
        wide = "enlarged" if row.cup >= 0.55 else "normal"
        sentences.append(f"Optic nerve cup to disc ratio {row.cup:.1f}, {wide} cup.")
        sentences.append(f"Visual field mean deviation {row.md:.1f} dB.")
    if len(sentences) == 1:
        sentences.append("Follow up for eye examination.")
    return " ".join(sentences)


def _note(row: tuple, rng: np.random.Generator) -> str:
    through = "" if row.language in ("english", "unknown") else "History taken through an interpreter. "
    plan = rng.choice(
        ["Return in six months.", "Continue current drops.", "Repeat visual field test next visit."]
    )
    note = f"[PERSONAL_NAME] was seen on [DATE]. {through}{row.gpt4_summary}"
    return f"{note} Intraocular pressure reviewed. {plan}"


def draw_fundus(
    cup: np.ndarray, noise: np.ndarray, background_shift: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Grey fundus images with a disc in the middle, whose bright cup is ``cup`` (n,) of its height.

    Returns
    -------
    uint8 (n, size, size); ``noise`` (n,) is the standard deviation of each image's noise,
    ``background_shift`` (n,) what is added to the brightness of its background (pixels in [0, 1]).
    """
    blocks = [slice(start, start + BLOCK) for start in range(0, len(cup), BLOCK)]
    return np.concatenate(
        [_draw_block(cup[block], noise[block], background_shift[block], size, rng) for block in blocks]
    )


def _draw_block(
    cup: np.ndarray, noise: np.ndarray, background_shift: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    def uniform(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, (len(cup), 1, 1)).astype(np.float32)

    across, down = grid(size)
    x, y = uniform(0.42, 0.58), uniform(0.42, 0.58)
    radius = uniform(0.24, 0.30)
    distance = np.hypot(across - x, (down - y) / 1.1)
    background = uniform(0.30, 0.40) + background_shift[:, None, None].astype(np.float32)
    pixels = background - 0.2 * distance
    for _ in range(VESSELS):
        # A dark curve from the disc's centre outwards.
        angle, bend = uniform(0, 2 * np.pi), uniform(-1.5, 1.5)
        along = (across - x) * np.cos(angle) + (down - y) * np.sin(angle)
        aside = (down - y) * np.cos(angle) - (across - x) * np.sin(angle) - bend * along**2
        pixels = pixels - 0.15 * (along > 0) * _inside(np.abs(aside) - 0.012, size)
    for edge, light in ((radius, 0.62), (radius * cup[:, None, None].astype(np.float32), 0.92)):
        pixels += _inside(distance - edge, size) * (light - pixels)
    grain = rng.standard_normal(pixels.shape, dtype=np.float32)
    pixels = pixels * uniform(0.9, 1.1) + noise[:, None, None].astype(np.float32) * grain
    return (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)


def _inside(distance: np.ndarray, size: int) -> np.ndarray:
    return np.clip(0.5 - distance * size, 0, 1)


def _write_person(folder: Path, row: tuple, image: np.ndarray, rng: np.random.Generator) -> None:
    known = ", ".join(f"{name}: {getattr(row, name)}" for name in (*FUNDUS_ATTRIBUTES, "maritalstatus"))
    np.savez(
        folder / f"data_{row.number:05d}.npz",
        slo_fundus=image,
        md=row.md,
        tds=(row.md + rng.normal(0, 1.5, FIELD_POINTS)).round(2),
        age=row.age,
        **{
            name: FUNDUS_CODES[name][getattr(row, name)]
            for name in ("race", "gender", "ethnicity", "maritalstatus")
        },
        language=row.language_code,
        glaucoma=row.glaucoma,
        note=row.note,
        note_extra=f"{known}. {row.note}",
    )
    (folder / f"slo_fundus_{row.number:05d}.jpg").write_bytes(jpeg(image))


def _write_tables(folder: Path, people: pd.DataFrame) -> None:
    people = people.assign(
        filename=[f"data_{number:05d}.npz" for number in people["number"]],
        glaucoma=people["glaucoma"].map({0: "no", 1: "yes"}),
    )
    columns = ("age", *FUNDUS_ATTRIBUTES, "maritalstatus", "note", "gpt4_summary", "glaucoma", "use")
    write_csv(folder / "data_summary.csv", people[["filename", *columns]])
    # Readers take the name from the first column and the text from the third.
    write_csv(folder / "original_notes.csv", people[["filename", "use", "note"]])
    write_csv(folder / "gpt-4_summarized_notes.csv", people[["filename", "use", "gpt4_summary"]])
