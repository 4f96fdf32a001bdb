"""The protocol of Table 5: the choices that its paper leaves open, the same for all methods.

*CLIP the Bias* gives the datasets, the classifier and the metrics (appendix A.2.4), but not the split,
the preprocessing or the repeats. Here, a repeat is a random split into three quarters for training
and one for testing, as in the R2B paper by the same first author. Its seed determines the initial weights,
every random choice of a method and, unless the method's settings fix it, the split. All columns are features,
including the sensitive attribute: only the correlation remover is defined without it.
"""
# ruff: noqa: N806 - X is scikit-learn's name

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from clipfair.core.errors import UserError
from clipfair.plan.mitigation_settings import ClassifierSettings

# A table may have its publisher's split in this column. It is not a feature, and not used: with one fixed
# split, repeats would differ in nothing but the initial weights.
SPLIT_COLUMN = "split"


@dataclass(frozen=True)
class Protocol:
    """The settings that all methods share.

    Attributes
    ----------
    test_share : share of the rows for testing, in (0, 1).
    classifier : the base classifier.
    """

    test_share: float = 0.25
    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)

    def __post_init__(self) -> None:
        if not 0 < self.test_share < 1:
            raise UserError(f"protocol: test_share is {self.test_share!r}, expected a share between 0 and 1")


@dataclass(frozen=True)
class SplitData:
    """The data of one repeat.

    Attributes
    ----------
    X_train, X_test : (n, d) float32 features.
    y_train, y_test : (n,) labels 0 and 1.
    s_train, s_test : (n,) names of the groups.
    rows_train, rows_test : (n,) positions in the table.
    groups : names of all groups of the table, sorted; a group may be absent from a split.
    sensitive_columns : the features that encode the sensitive attribute.
    """

    X_train: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray
    s_train: np.ndarray
    s_test: np.ndarray
    rows_train: np.ndarray
    rows_test: np.ndarray
    groups: tuple[str, ...]
    sensitive_columns: tuple[int, ...]


def split_data(
    table: pd.DataFrame, *, label: str, sensitive: str, protocol: Protocol, seed: int
) -> SplitData:
    """Split a table at random and encode its features.

    Raises
    ------
    UserError
        If a column is missing, has missing values, or cannot be the label or the sensitive attribute.
    """
    check_table(table, label=label, sensitive=sensitive)
    rows_train, rows_test = split(len(table), test_share=protocol.test_share, seed=seed)
    features = table.drop(columns=[label, SPLIT_COLUMN], errors="ignore")
    X_train, X_test, sensitive_columns = encode(
        features.iloc[rows_train], features.iloc[rows_test], sensitive=sensitive
    )
    y = table[label].to_numpy(dtype=int)
    s = table[sensitive].astype(str).to_numpy(dtype=object)
    return SplitData(
        X_train=X_train,
        X_test=X_test,
        y_train=y[rows_train],
        y_test=y[rows_test],
        s_train=s[rows_train],
        s_test=s[rows_test],
        rows_train=rows_train,
        rows_test=rows_test,
        groups=tuple(sorted(set(s))),
        sensitive_columns=sensitive_columns,
    )


def check_table(table: pd.DataFrame, *, label: str, sensitive: str) -> None:
    """Raise a :class:`UserError` unless a classifier can be fitted to ``table`` and its groups compared."""
    for column in (label, sensitive):
        if column not in table:
            raise UserError(
                f"the table has no column {column!r}; known: {', '.join(map(str, table.columns))}"
            )
    missing = [str(name) for name in table.columns[table.isna().any()]]
    if missing:
        raise UserError(f"missing values in {', '.join(missing)}; give them a category or drop the rows")
    labels = sorted(table[label].unique().tolist())
    if labels != [0, 1]:
        raise UserError(f"label {label!r} has the values {labels[:5]}, expected 0 and 1")
    if table[sensitive].nunique() < 2:
        raise UserError(f"sensitive attribute {sensitive!r} has one value, expected two groups or more")


def split(n: int, *, test_share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the training and the test rows, at random and not stratified, in shuffled order."""
    order = np.random.default_rng(seed).permutation(n)
    n_test = round(n * test_share)
    return order[n_test:], order[:n_test]


def encode(
    train: pd.DataFrame, test: pd.DataFrame, *, sensitive: str
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Features for the classifier, fitted on the training rows.

    Numbers are standardised. A text or category column becomes one indicator per value ("?" is a
    value like any other); a value that occurs only in the test rows sets none of them.

    Returns
    -------
    (n, d) float32 features of the training and of the test rows, and the positions of those that encode
    ``sensitive``.
    """
    numbers = list(train.select_dtypes("number").columns.drop(sensitive, errors="ignore"))
    categories = [name for name in train.columns if name not in numbers]
    transformer = ColumnTransformer(
        [
            ("number", StandardScaler(), numbers),
            (
                "category",
                OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32),
                categories,
            ),
        ]
    )
    X_train = transformer.fit_transform(train).astype(np.float32)
    X_test = transformer.transform(test).astype(np.float32)
    values = transformer.named_transformers_["category"].categories_
    width = dict(zip(categories, map(len, values), strict=True))
    start = len(numbers) + sum(width[name] for name in categories[: categories.index(sensitive)])
    return X_train, X_test, tuple(range(start, start + width[sensitive]))
