"""Features to inputs of a linear model: scale, standardise, mark what is missing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ml.pairs import FeatureContract, Features

#: Beyond this value, or this multiple of their mean, values count as long-tailed.
LONG_TAIL = 20.0
#: Standardised values beyond this many standard deviations are clipped.
CLIP = 5.0
#: What stands in place of a null, with or without an indicator of it.
MISSING = ("mean_and_indicator", "mean", "median_and_indicator", "median")


class LinearEncoder:
    """Turns features into a dense matrix of standardised inputs.

    Columns are: each numeric feature, standardised, nulls at the average or median;
    then, if wanted, an indicator of null for each numeric feature that had nulls in
    training; then an indicator for each category of each categorical feature. Unknown
    categories have no indicator.

    A numeric feature that is never negative is taken as log(1 + x) if it reaches beyond
    20, and as log(1 + x / mean) if it is smaller but reaches beyond 20 times its mean,
    as rates do.

    Parameters
    ----------
    groups
        Feature groups that are encoded; by default all.
    missing
        One of ``MISSING``: what a null becomes. Mean and median are those of the values
        as scaled, a logarithm where one is taken.

    Attributes
    ----------
    fill_ : ndarray of float32
        Per numeric feature the standardised value of a null; 0 is the average.
    log_unit_ : ndarray of float32
        Per numeric feature the unit of its logarithm; 0 if it is taken as it is.
    sources_ : list of str
        Per column the feature it comes from.
    labels_ : list of str
        Per column a name to show.
    """

    def __init__(
        self,
        groups: tuple[str, ...] | None = None,
        missing: str = "mean_and_indicator",
    ) -> None:
        if missing not in MISSING:
            raise ValueError(f"missing is {missing!r}, not one of {', '.join(MISSING)}")
        self.groups = groups
        self.missing = missing

    def fit(self, features: Features) -> LinearEncoder:
        """Learn scales and averages."""
        self._choose_columns(features.contract)
        numeric = features.numeric[:, self.numeric_columns_]
        is_null = np.isnan(numeric)
        lowest = np.where(is_null, np.inf, numeric).min(axis=0)
        highest = np.where(is_null, -np.inf, numeric).max(axis=0)
        present = np.maximum((~is_null).sum(axis=0), 1)
        plain_mean = np.where(is_null, 0.0, numeric).sum(axis=0, dtype=np.float64)
        plain_mean /= present
        may_be_log = (lowest >= 0) & np.isfinite(highest) & (plain_mean > 0)
        is_large = may_be_log & (highest > LONG_TAIL)
        is_rate = may_be_log & ~is_large & (highest > LONG_TAIL * plain_mean)
        unit = np.where(is_large, 1.0, np.where(is_rate, plain_mean, 0.0))
        self.log_unit_ = unit.astype(np.float32)
        scaled = self._scale(numeric).astype(np.float64)
        scaled[is_null] = 0.0
        mean = scaled.sum(axis=0) / present
        centred = np.where(is_null, 0.0, scaled - mean)
        deviation = np.sqrt(np.square(centred).sum(axis=0) / present)
        self.mean_ = mean.astype(np.float32)
        self.deviation_ = np.where(deviation > 0, deviation, 1.0).astype(np.float32)
        self.fill_ = np.zeros(len(mean), dtype=np.float32)
        if self.missing.startswith("median"):
            for column in np.flatnonzero((~is_null).any(axis=0)):
                known = scaled[~is_null[:, column], column]
                self.fill_[column] = np.median(known) - mean[column]
            self.fill_ /= self.deviation_
        self.with_null_ = np.empty(0, dtype=np.intp)
        if self.missing.endswith("indicator"):
            self.with_null_ = np.flatnonzero(is_null.any(axis=0))
        return self._name_columns(features.contract)

    def transform(self, features: Features) -> np.ndarray:
        """Return the inputs, float32, shape (n, number of columns).

        Encoders with equal state share the work on one batch.
        """
        key = (
            self.groups,
            self.log_unit_.tobytes(),
            self.mean_.tobytes(),
            self.deviation_.tobytes(),
            self.fill_.tobytes(),
            self.with_null_.tobytes(),
        )
        if key not in features.cache:
            features.cache[key] = self._transform(features)
        return features.cache[key]

    def columns_of(
        self, groups: tuple[str, ...], contract: FeatureContract
    ) -> np.ndarray:
        """Return the positions of the columns whose feature is in one of the groups."""
        return np.array(
            [
                position
                for position, source in enumerate(self.sources_)
                if contract.groups[source] in groups
            ],
            dtype=np.intp,
        )

    def state(self) -> dict:
        """Return what ``fit`` learned as plain JSON values."""
        return {
            "log_unit": self.log_unit_.tolist(),
            "mean": self.mean_.tolist(),
            "deviation": self.deviation_.tolist(),
            "fill": self.fill_.tolist(),
            "with_null": self.with_null_.tolist(),
        }

    def restore(self, state: dict, contract: FeatureContract) -> LinearEncoder:
        """Take over a saved state."""
        self._choose_columns(contract)
        self.log_unit_ = np.array(state["log_unit"], dtype=np.float32)
        self.mean_ = np.array(state["mean"], dtype=np.float32)
        self.deviation_ = np.array(state["deviation"], dtype=np.float32)
        self.fill_ = np.array(state["fill"], dtype=np.float32)
        self.with_null_ = np.array(state["with_null"], dtype=np.intp)
        return self._name_columns(contract)

    def _scale(self, numeric: np.ndarray) -> np.ndarray:
        scaled = numeric.copy()
        for column in np.flatnonzero(self.log_unit_):
            positive = np.maximum(numeric[:, column], 0)
            scaled[:, column] = np.log1p(positive / self.log_unit_[column])
        return scaled

    def _transform(self, features: Features) -> np.ndarray:
        numeric = features.numeric[:, self.numeric_columns_]
        n_numeric = numeric.shape[1]
        inputs = np.zeros((len(features), len(self.sources_)), dtype=np.float32)
        standard = self._scale(numeric)
        standard -= self.mean_
        standard /= self.deviation_
        np.clip(standard, -CLIP, CLIP, out=standard)
        np.copyto(standard, self.fill_, where=np.isnan(standard))
        inputs[:, :n_numeric] = standard
        place = n_numeric + len(self.with_null_)
        inputs[:, n_numeric:place] = np.isnan(numeric[:, self.with_null_])
        categories = list(features.contract.categories.values())
        for column in self.coded_columns_:
            values, codes = categories[column], features.codes[:, column]
            rows = np.flatnonzero(codes >= 0)
            inputs[rows, place + codes[rows]] = 1.0
            place += len(values)
        return inputs

    def _name_columns(self, contract: FeatureContract) -> LinearEncoder:
        numeric = [contract.numeric[i] for i in self.numeric_columns_]
        categories = list(contract.categories.items())
        values_of = [categories[i] for i in self.coded_columns_]
        with_null = [numeric[i] for i in self.with_null_]
        self.sources_ = [
            *numeric,
            *with_null,
            *(name for name, values in values_of for _ in values),
        ]
        self.labels_ = [
            *numeric,
            *(f"{name} is null" for name in with_null),
            *(f"{name} = {value}" for name, values in values_of for value in values),
        ]
        return self

    def _choose_columns(self, contract: FeatureContract) -> None:
        """Find the features of the groups."""

        def chosen(names: Iterable[str]) -> list[int]:
            return [
                position
                for position, name in enumerate(names)
                if self.groups is None or contract.groups[name] in self.groups
            ]

        self.numeric_columns_ = chosen(contract.numeric)
        self.coded_columns_ = chosen(contract.categories)
