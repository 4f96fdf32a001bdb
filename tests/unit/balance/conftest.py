import numpy as np
import pandas as pd
import pytest

from clipfair.balance.layout_inference import infer_layout
from clipfair.balance.table import AnnotationTable
from clipfair.balance.weight_files import weigh_tables


def _people(n=2000, *, seed=0):
    """A table with a text group, a binary group, a text label, a binary label, and a utility."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["Female", "Male"], n, p=[0.35, 0.65])
    young = rng.random(n) < 0.4
    nurse = np.where(sex == "Female", 0.3, 0.1)
    pick = rng.random(n)
    occupation = np.where(pick < nurse, "nurse", np.where(pick < 0.6, "pilot", "other"))
    return pd.DataFrame(
        {
            "id": [f"p{i:05d}" for i in range(n)],
            "sex": sex,
            "young": young,
            "occupation": occupation,
            "rich": (rng.random(n) < np.where(young, 0.1, 0.3)).astype(int),
            "utility": rng.choice([0.5, 1.0, 2.0], n),
            "age": rng.integers(18, 80, n),
        }
    )


@pytest.fixture(scope="session")
def people():
    return _people()


@pytest.fixture(params=["parquet", "csv"])
def people_file(request, people, tmp_path):
    return write(people, tmp_path / f"people.{request.param}")


def write(frame, path):
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def write_table():
    return write


@pytest.fixture(scope="session")
def people_layout():
    """The layout of a file of people: two sensitive columns, two of labels."""

    def infer(path, **options):
        columns = {"sensitive": ["sex", "young"], "labels": ["occupation", "rich"]}
        return infer_layout([AnnotationTable(path)], **columns, **options)

    return infer


@pytest.fixture(scope="session")
def people_indicators():
    """The indicators of that layout, computed from the data frame: sensitive (n, 3), labels (n, 4)."""

    def compute(people):
        sensitive = np.stack([people.sex == "Female", people.sex == "Male", people.young], axis=1)
        labels = [people.occupation == value for value in ("nurse", "other", "pilot")]
        return sensitive, np.stack([*labels, people.rich == 1], axis=1)

    return compute


@pytest.fixture
def weights_of(tmp_path):
    """The weights of a table's examples by a weigher, through the files that are written."""

    def weigh(path, weigher):
        weigh_tables([AnnotationTable(path)], weigher, key=None, seed=0, folder=tmp_path)
        return pd.read_parquet(tmp_path / "weights.parquet")["weight"].to_numpy()

    return weigh
