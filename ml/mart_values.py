"""What the features were in the last week that a model learned from.

Of a week that is over the marts never change a value. If they hold others, their
columns have come to mean something else, and a model that learned from them would go
wrong without a word.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.pairs import FeatureContract, Features, TrainingSet, read_labelled_pairs
from ml.warehouse import Warehouse

#: How far values may move before they count as changed: mean and deviation by this
#: share of the deviation, the share that is known by this much. Purchases that are
#: taken back later move them less.
TOLERANCE = 0.01


@dataclass(frozen=True)
class WeekValues:
    """Each feature over the training pairs of one week.

    Attributes
    ----------
    mean, deviation : ndarray of float64, shape (number of features,)
        Of the values that are known, of a category of its code; NaN if none is.
    known : ndarray of float64, same shape
        Share of the pairs of which the feature is known.
    """

    week: dt.date
    mean: np.ndarray
    deviation: np.ndarray
    known: np.ndarray

    @classmethod
    def of(cls, features: Features, week: dt.date) -> WeekValues:
        """Return the values of pairs, at least one, of a week."""
        summaries = [_summary(values) for values in features.values.T]
        return cls(week, *np.array(summaries).T)

    @classmethod
    def of_last_week(cls, training: TrainingSet) -> WeekValues:
        """Return the values of the last week of a training set."""
        week = training.cutoff.max()
        return cls.of(training.features.take(training.cutoff == week), week.item())

    def differences(self, now: WeekValues, names: Sequence[str]) -> list[str]:
        """Name the features that have other values now, and say which.

        Parameters
        ----------
        names
            Of the features, in their order.
        """
        found = []
        for place, name in enumerate(names):
            known, known_now = self.known[place], now.known[place]
            if abs(known_now - known) > TOLERANCE:
                found.append(
                    f"{name} was known of {known:.0%} of the pairs and is of "
                    f"{known_now:.0%}"
                )
                continue
            mean, deviation = self.mean[place], self.deviation[place]
            allowed = TOLERANCE * deviation + 1e-6 * abs(mean)
            for said, was, is_now in (
                ("on average", mean, now.mean[place]),
                ("as its deviation", deviation, now.deviation[place]),
            ):
                if abs(is_now - was) > allowed:
                    found.append(f"{name} had {was:.7g} {said} and has {is_now:.7g}")
                    break
        return found

    def to_dict(self) -> dict:
        """Return plain values, for a model file."""
        return {
            "week": self.week.isoformat(),
            "mean": self.mean.tolist(),
            "deviation": self.deviation.tolist(),
            "known": self.known.tolist(),
        }

    @classmethod
    def from_dict(cls, content: dict) -> WeekValues:
        """Rebuild values from :meth:`to_dict`."""
        return cls(
            dt.date.fromisoformat(content["week"]),
            *(np.array(content[name]) for name in ("mean", "deviation", "known")),
        )


def changed_features(
    warehouse: Warehouse, contract: FeatureContract, learned: WeekValues
) -> list[str]:
    """Name the features of which ``ml.training_pairs`` holds other values now.

    Parameters
    ----------
    contract
        Of the model.
    learned
        What they were when the model was fitted.

    Returns
    -------
    list of str
        Empty also if the mart holds nothing of that week any more: then nobody can
        tell.
    """
    in_mart = {column.name for column in warehouse.columns("training_pairs")}
    gone = [f"{name} is gone" for name in contract.columns if name not in in_mart]
    if gone:
        return gone
    [(n_pairs,)] = warehouse.rows(
        "select count(*) from ml.training_pairs where cutoff_date = ?", [learned.week]
    )
    if not n_pairs:
        return []
    pairs = read_labelled_pairs(warehouse, contract, [learned.week])
    now = WeekValues.of(pairs.features, learned.week)
    return learned.differences(now, contract.names)


def _summary(values: np.ndarray) -> tuple[float, float, float]:
    known = values[~np.isnan(values)].astype(np.float64)
    if not len(known):
        return float("nan"), float("nan"), 0.0
    return float(known.mean()), float(known.std()), len(known) / len(values)
