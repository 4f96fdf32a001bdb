"""Planted and recovered quantities in the worlds with known fairness."""

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError
from clipfair.core.settings import parse
from clipfair.data.embedded.fundus_settings import FUNDUS_ATTRIBUTES, FundusSettings
from clipfair.data.embedded.web_settings import WebSettings
from clipfair.data.images import image_records, open_image
from clipfair.metrics.statistics import mean_interval
from clipfair.plan.analysis_plan import AnalysisPlan, read_analysis_plan
from clipfair.tables.common.markdown import markdown_table, number
from clipfair.tables.questions.web_worlds import (
    ALL,
    WEB_UNFAIRNESS,
    Values,
    web_planted,
    web_recovered,
    web_settings,
)

DRAW = re.compile(r"(world-)?(?P<world>.+)-draw-(?P<draw>\d+)")
# The world of Q4 is another one with fewer training examples.
OVERFIT, OVERFIT_WORLD = "overfit", "gap-rates"
RATIO = re.compile(r"cup to disc ratio (\d\.\d)")
REFERENCE = "white"
# Images of the test split that are measured in each draw.
IMAGES = 400
# Patches in the middle of each edge, where no disc reaches: half of their width and their depth, as shares of
# the image.
HALF_WIDTH, DEPTH = 0.12, 0.07
ONE_DEVIATION = 0.8413  # of a normal distribution, the share below its mean plus one standard deviation

RATE = "rate of glaucoma"
CUP = f"cup-to-disc ratio less that of {REFERENCE}"
BACKGROUND = f"background less that of {REFERENCE}"
NOISE = "noise"
SMALLEST = "smallest group of the test split"


def build(tables: Mapping[str, str], raw: Mapping[str, str]) -> tuple[pd.DataFrame, str]:
    """Compare the settings of the worlds with their draws.

    The cup-to-disc ratio is read from the notes, which give one decimal; differences are within a label,
    averaged over both. Background and noise are measured in patches at the edges of images: the median of the
    pixels, and the distance from the median to the quantile that is one standard deviation above it, since
    pixels are cut off at 0.

    Parameters
    ----------
    tables, raw
        Draw of a world -> its prepared table (fundus images alone), and the folder of its files.

    Returns
    -------
    One row per world, quantity, group and draw: ``world, quantity, group, planted, draw, recovered``. Rows
    with the draw ``all`` have the mean over draws and its 95% t interval, ``low`` and ``high``. Then the
    page.

    Raises
    ------
    UserError
        If a dataset is no draw of a world of the analysis plan.
    """
    plan = read_analysis_plan()
    draws = pd.DataFrame([row for name in raw for row in _rows(name, tables.get(name), raw[name], plan)])
    key = ["world", "quantity", "group", "planted"]
    means = [
        _mean_row(dict(zip(key, names, strict=True)), part) for names, part in draws.groupby(key, sort=False)
    ]
    frame = pd.concat([draws, pd.DataFrame(means)], ignore_index=True)
    return frame, _page(frame, plan)


def _rows(name: str, table: str | None, folder: str, plan: AnalysisPlan) -> Iterator[dict]:
    match = DRAW.fullmatch(name)
    worlds = {**_fundus_settings(plan), **web_settings(plan)}
    if match is None or match["world"] not in worlds:
        raise UserError(f"{name}: no draw of a world of the analysis plan; known: {', '.join(worlds)}")
    settings = worlds[match["world"]]
    if isinstance(settings, WebSettings):
        planted, recovered = web_planted(settings), web_recovered(folder)
    else:
        planted, recovered = planted_values(settings), recover(pd.read_parquet(table), folder)
    for (quantity, group), value in planted.items():
        yield {
            **{"world": match["world"], "quantity": quantity, "group": group, "planted": value},
            **{"draw": match["draw"], "recovered": recovered[quantity, group]},
        }


def _fundus_settings(plan: AnalysisPlan) -> dict[str, FundusSettings]:
    """The settings of each world of fundus images, that of Q4 included."""
    own = {name: world.settings for name, world in plan.worlds.items()}
    if OVERFIT_WORLD in own:
        own[OVERFIT] = own[OVERFIT_WORLD] | plan.overfit_settings
    return {name: parse(FundusSettings, plan.common_settings | settings) for name, settings in own.items()}


def _mean_row(key: dict, part: pd.DataFrame) -> dict:
    found = mean_interval(part["recovered"])
    return {**key, "draw": ALL, "recovered": found.mean, "low": found.low, "high": found.high}


def planted_values(settings: FundusSettings) -> Values:
    """Planted values of the settings, by quantity and group of race."""
    races = list(settings.race)
    shares = [share for name in FUNDUS_ATTRIBUTES for share in getattr(settings, name).values()]
    return {
        **{
            (RATE, race): settings.glaucoma_rates.get(f"race={race}", settings.glaucoma_rate)
            for race in races
        },
        **{(CUP, race): _shift(settings.cup_shift, race) for race in races if race != REFERENCE},
        **{
            (BACKGROUND, race): _shift(settings.background_shift, race) for race in races if race != REFERENCE
        },
        **{(NOISE, race): settings.noise[race] for race in races},
        (SMALLEST, ALL): settings.test * min(shares),
    }


def _shift(shifts: Mapping[str, float], race: str) -> float:
    return shifts.get(race, 0.0) - shifts.get(REFERENCE, 0.0)


def recover(people: pd.DataFrame, folder: str) -> Values:
    """The same quantities from a prepared table and its images."""
    test = people[people["split"] == "test"]
    background, noise = measure_images(test.head(IMAGES), folder)
    race = test["race"].head(IMAGES)
    smallest = min(test[name].value_counts().min() for name in FUNDUS_ATTRIBUTES)
    return {
        **_named(RATE, people.groupby("race", observed=True)["glaucoma"].mean()),
        **_named(CUP, compare_within_labels(_ratios(people), people)),
        **_named(BACKGROUND, _less_reference(background.groupby(race, observed=True).mean())),
        **_named(NOISE, noise.groupby(race, observed=True).mean()),
        (SMALLEST, ALL): float(smallest),
    }


def _named(quantity: str, values: pd.Series) -> Values:
    return {(quantity, str(group)): float(value) for group, value in values.items()}


def _ratios(people: pd.DataFrame) -> pd.Series:
    """The cup-to-disc ratio of each note; NaN for a note without."""
    return people["captions"].str[0].str.extract(RATIO, expand=False).astype(float)


def compare_within_labels(values: pd.Series, people: pd.DataFrame) -> pd.Series:
    """The mean of each race less that of the reference, within labels."""
    means = values.groupby([people["race"], people["glaucoma"]], observed=True).mean().unstack()
    return _less_reference(means).mean(axis=1)


def _less_reference(means: pd.Series | pd.DataFrame) -> pd.Series | pd.DataFrame:
    return means - means.loc[REFERENCE]


def measure_images(people: pd.DataFrame, folder: str) -> tuple[pd.Series, pd.Series]:
    """The brightness of the background and the noise of each image, pixels in [0, 1]."""
    pixels = np.stack([np.asarray(open_image(row, folder=folder))[..., 0] for row in image_records(people)])
    size = pixels.shape[1]
    middle = slice(round(size * (0.5 - HALF_WIDTH)), round(size * (0.5 + HALF_WIDTH)))
    start, end = slice(0, round(size * DEPTH)), slice(size - round(size * DEPTH), size)
    patches = [(start, middle), (end, middle), (middle, start), (middle, end)]
    parts = [pixels[:, down, across].reshape(len(pixels), -1) / 255 for down, across in patches]
    low, high = (
        np.mean([np.quantile(part, share, axis=1) for part in parts], axis=0)
        for share in (0.5, ONE_DEVIATION)
    )
    return pd.Series(low, people.index), pd.Series(high - low, people.index)


def _page(frame: pd.DataFrame, plan: AnalysisPlan) -> str:
    head = ["quantity", "group", "planted", "recovered", "95% interval", "draws"]
    lines = [
        "# Worlds with known fairness: planted and recovered",
        "",
        "Means over draws, with t intervals. Fundus images by race; the cup-to-disc ratio is that of the "
        f"notes, within labels; background and noise are measured at the edges of {IMAGES} images of each "
        "draw; pixels are in [0, 1]. Pairs of the web by occupation.",
    ]
    for world, part in frame.groupby("world", sort=False):
        means = part[part["draw"] == ALL]
        draws = part.loc[part["draw"] != ALL, "draw"].nunique()
        rows = [_page_row(row, draws) for row in means.itertuples()]
        unfairness = _unfairness(str(world), plan)
        lines += ["", f"## {world}", "", f"Unfairness: {unfairness}.", "", *markdown_table(head, rows)]
    return "\n".join(lines) + "\n"


def _unfairness(world: str, plan: AnalysisPlan) -> str:
    if world == OVERFIT:
        return f"as in {OVERFIT_WORLD}"
    return WEB_UNFAIRNESS[world] if world in WEB_UNFAIRNESS else plan.worlds[world].unfairness


def _page_row(row: tuple, draws: int) -> list[str]:
    decimals = 0 if row.quantity == SMALLEST else 3
    planted, mean, low, high = (
        number(value, decimals=decimals) for value in (row.planted, row.recovered, row.low, row.high)
    )
    return [row.quantity, row.group, planted, mean, f"{low} to {high}", str(draws)]
