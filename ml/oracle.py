"""What a model could reach at best: reads the truth of a sample, for reports only.

The truth lies beside a generated sample (``<data>.truth``): each user's expected
purchases of each test coupon, and the purchases of the test week. This is the only
module that opens it. Nothing that trains or scores may import this module.

Example
-------
``python -m ml.oracle --data data/sample``
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

from ml import cli
from ml.sample_data.truth import INTENSITY_FILE, PURCHASES_FILE, truth_directory

TOP = 10
HISTORY_BOUNDS = (0, 1, 3, 10)


class TruthError(Exception):
    """A sample without its truth; the message is one sentence for the user."""


@dataclass(frozen=True)
class Truth:
    """The truth of one sample.

    Attributes
    ----------
    user_hash, coupon_hash
        Users and test coupons, as text.
    intensity
        Expected purchases in the test week, shape (users, coupons).
    bought
        Whether the user bought the coupon in the test week, same shape.
    purchases
        All purchases of the test week, train coupons included.
    """

    user_hash: np.ndarray
    coupon_hash: np.ndarray
    intensity: np.ndarray
    bought: np.ndarray
    purchases: pd.DataFrame

    @cached_property
    def ranking(self) -> np.ndarray:
        """Positions of the oracle's ten best coupons per user; ties by hash."""
        order = np.argsort(self.coupon_hash, kind="stable")
        score = self.intensity[:, order]
        best = np.argsort(-score, axis=1, kind="stable")[:, :TOP]
        return order[best]

    def drawn_again(self, seed: int) -> Truth:
        """Return the same truth with a test week drawn anew from the intensities.

        A user buys a coupon with probability 1 - exp(-intensity), independently of
        all other pairs; ``purchases`` stays empty.
        """
        rng = np.random.default_rng(seed)
        bought = rng.random(self.intensity.shape, dtype=np.float32) < -np.expm1(
            -self.intensity
        )
        return Truth(
            self.user_hash,
            self.coupon_hash,
            self.intensity,
            bought,
            self.purchases.iloc[:0],
        )

    def average_precision(self, ranking: np.ndarray) -> np.ndarray:
        """AP@10 of each user for ranked coupon positions (-1 for none).

        Parameters
        ----------
        ranking
            Positions in ``coupon_hash``, best first, shape (users, up to 10).

        Returns
        -------
        numpy.ndarray
            0 for a user who bought no test coupon, as in the competition.
        """
        found = np.take_along_axis(self.bought, np.maximum(ranking, 0), axis=1)
        found &= ranking >= 0
        precision = np.cumsum(found, axis=1) / np.arange(1, ranking.shape[1] + 1)
        n_bought = np.minimum(self.bought.sum(axis=1), TOP)
        return (precision * found).sum(axis=1) / np.maximum(n_bought, 1)


def load_truth(data: Path) -> Truth:
    """Read the truth beside the sample in ``data``.

    Raises
    ------
    TruthError
        If there is none, as for real data.
    """
    directory = truth_directory(data.absolute())
    if not (directory / INTENSITY_FILE).is_file():
        raise TruthError(
            f"{data} has no truth beside it ({directory.name}); only generated "
            "samples have one."
        )
    with np.load(directory / INTENSITY_FILE, allow_pickle=False) as file:
        users = file["user_hash"].astype(str)
        coupons = file["coupon_hash"].astype(str)
        intensity = file["intensity"]
    purchases = pacsv.read_csv(directory / PURCHASES_FILE).to_pandas()
    row = pd.Index(users).get_indexer(purchases["USER_ID_hash"])
    column = pd.Index(coupons).get_indexer(purchases["COUPON_ID_hash"])
    bought = np.zeros(intensity.shape, dtype=bool)
    bought[row[column >= 0], column[column >= 0]] = True
    return Truth(users, coupons, intensity, bought, purchases)


def ranking_of(truth: Truth, recommendations: pd.DataFrame | pa.Table) -> np.ndarray:
    """Put recommendations into the shape that `Truth.average_precision` takes.

    Parameters
    ----------
    recommendations
        Columns user_hash, coupon_hash, rank (1 is best). Other users and coupons
        than those of the truth are left out; ranks beyond ten too.
    """
    if isinstance(recommendations, pa.Table):
        recommendations = recommendations.to_pandas()
    missing = {"user_hash", "coupon_hash", "rank"} - set(recommendations.columns)
    if missing:
        raise ValueError(f"recommendations lack {', '.join(sorted(missing))}")
    row = pd.Index(truth.user_hash).get_indexer(recommendations["user_hash"])
    column = pd.Index(truth.coupon_hash).get_indexer(recommendations["coupon_hash"])
    place = recommendations["rank"].to_numpy().astype(np.int64) - 1
    keep = (row >= 0) & (place >= 0) & (place < TOP)
    ranking = np.full((len(truth.user_hash), TOP), -1, dtype=np.int64)
    ranking[row[keep], place[keep]] = column[keep]
    return ranking


def slices(truth: Truth, data: Path) -> pd.Series:
    """Slice of each user by purchases before the test week, indexed by user hash."""
    log = pacsv.read_csv(
        data / "coupon_detail_train.csv",
        convert_options=pacsv.ConvertOptions(include_columns=["USER_ID_hash"]),
    ).to_pandas()
    n = log["USER_ID_hash"].value_counts().reindex(truth.user_hash, fill_value=0)
    labels = []
    for low, high in zip(HISTORY_BOUNDS, (*HISTORY_BOUNDS[1:], None), strict=True):
        if high is None:
            labels.append(f"{low}+ purchases before")
        elif high == low + 1:
            labels.append(f"{low} purchases before")
        else:
            labels.append(f"{low}-{high - 1} purchases before")
    number = np.searchsorted(HISTORY_BOUNDS, n.to_numpy(), side="right") - 1
    return pd.Series(np.array(labels)[number], index=truth.user_hash, name="slice")


def report(
    truth: Truth,
    models: Mapping[str, pd.DataFrame | pa.Table],
    by: pd.Series | None = None,
) -> pd.DataFrame:
    """Compare models with the oracle on the test week.

    Parameters
    ----------
    models
        Name to ranked recommendations (user_hash, coupon_hash, rank).
    by
        Slice of each user, indexed by user hash; "all" is always reported.

    Returns
    -------
    pandas.DataFrame
        model, slice, n_users, n_buyers, map_at_10 (over all users of the slice),
        share (of the oracle's), regret (oracle minus model).
    """
    group = pd.Series("all", index=truth.user_hash)
    groups = {"all": np.ones(len(group), dtype=bool)}
    if by is not None:
        label = by.reindex(truth.user_hash).to_numpy()
        names = sorted(by.unique(), key=_first_number)
        groups |= {str(name): label == name for name in names}
    buys = truth.bought.any(axis=1)
    precision = {"oracle": truth.average_precision(truth.ranking)}
    for name, recommendations in models.items():
        precision[name] = truth.average_precision(ranking_of(truth, recommendations))
    rows = []
    for name, values in precision.items():
        for slice_name, members in groups.items():
            best = precision["oracle"][members].mean()
            value = values[members].mean()
            rows.append(
                {
                    "model": name,
                    "slice": slice_name,
                    "n_users": int(members.sum()),
                    "n_buyers": int(buys[members].sum()),
                    "map_at_10": float(value),
                    "share": float(value / best) if best > 0 else float("nan"),
                    "regret": float(best - value),
                }
            )
    return pd.DataFrame(rows)


def _first_number(slice_name: str) -> tuple[int, str]:
    digits = re.match(r"\d*", slice_name).group()
    return int(digits or 0), slice_name


def random_recommendations(truth: Truth, seed: int = 0) -> pd.DataFrame:
    """Recommend ten different random coupons per user: the floor."""
    rng = np.random.default_rng(seed)
    n_users, n_coupons = truth.intensity.shape
    top = min(TOP, n_coupons)
    chosen = np.argsort(rng.random((n_users, n_coupons)), axis=1)[:, :top]
    return _frame(truth, chosen)


def popular_recommendations(truth: Truth) -> pd.DataFrame:
    """Recommend to every user the ten coupons with the highest true demand."""
    best = np.argsort(-truth.intensity.sum(axis=0), kind="stable")[:TOP]
    return _frame(truth, np.tile(best, (len(truth.user_hash), 1)))


def _frame(truth: Truth, chosen: np.ndarray) -> pd.DataFrame:
    n_users, top = chosen.shape
    return pd.DataFrame(
        {
            "user_hash": np.repeat(truth.user_hash, top),
            "coupon_hash": truth.coupon_hash[chosen.ravel()],
            "rank": np.tile(np.arange(1, top + 1), n_users),
        }
    )


def share_without_history(truth: Truth, data: Path) -> float:
    """Percent of the test week's buyers who had not bought before."""
    log = pacsv.read_csv(
        data / "coupon_detail_train.csv",
        convert_options=pacsv.ConvertOptions(include_columns=["USER_ID_hash"]),
    ).to_pandas()
    buyers = truth.purchases["USER_ID_hash"].unique()
    if len(buyers) == 0:
        return float("nan")
    return float(100 * (1 - pd.Index(buyers).isin(log["USER_ID_hash"]).mean()))


def main(arguments: list[str] | None = None) -> int:
    """Print what the oracle, the most wanted ten and chance reach."""
    parser = cli.parser(
        "oracle",
        "What a perfect model would reach on a generated sample.",
        "example: python -m ml.oracle --data data/sample",
    )
    parser.add_argument("--data", type=Path, required=True, help="a generated sample")
    options = parser.parse_args(arguments)
    try:
        truth = load_truth(options.data)
    except TruthError as error:
        print(f"oracle: {error}", file=sys.stderr)
        return 1
    table = report(
        truth,
        {
            "most wanted ten": popular_recommendations(truth),
            "random": random_recommendations(truth),
        },
        slices(truth, options.data),
    )
    print(table.to_string(index=False, float_format=lambda value: f"{value:.5f}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
