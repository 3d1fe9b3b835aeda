"""Features to inputs of a linear model: scale, standardise, mark what is missing."""

from __future__ import annotations

import numpy as np

from ml.pairs import FeatureContract, Features

#: Standardised values beyond this many standard deviations are clipped.
CLIP = 5.0


class LinearEncoder:
    """Turns features into a dense matrix of standardised inputs.

    Columns are: each numeric feature, on the scale log(1 + x) if it is never negative
    and reaches beyond 20, standardised, nulls at the average; then an indicator of
    null for each numeric feature that had nulls in training; then an indicator for
    each category of each categorical feature. Unknown categories have no indicator.

    Attributes
    ----------
    sources_ : list of str
        Per column the feature it comes from.
    labels_ : list of str
        Per column a name to show.
    """

    def fit(self, features: Features) -> LinearEncoder:
        """Learn scales and averages."""
        numeric = features.numeric
        is_null = np.isnan(numeric)
        lowest = np.where(is_null, np.inf, numeric).min(axis=0)
        highest = np.where(is_null, -np.inf, numeric).max(axis=0)
        self.is_log_ = (lowest >= 0) & (highest > 20) & np.isfinite(highest)
        scaled = self._scale(numeric).astype(np.float64)
        scaled[is_null] = 0.0
        present = np.maximum((~is_null).sum(axis=0), 1)
        mean = scaled.sum(axis=0) / present
        centred = np.where(is_null, 0.0, scaled - mean)
        deviation = np.sqrt(np.square(centred).sum(axis=0) / present)
        self.mean_ = mean.astype(np.float32)
        self.deviation_ = np.where(deviation > 0, deviation, 1.0).astype(np.float32)
        self.with_null_ = np.flatnonzero(is_null.any(axis=0))
        return self._name_columns(features.contract)

    def transform(self, features: Features) -> np.ndarray:
        """Return the inputs, float32, shape (n, number of columns).

        Encoders with equal state share the work on one batch.
        """
        key = (
            self.is_log_.tobytes(),
            self.mean_.tobytes(),
            self.deviation_.tobytes(),
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
            "is_log": self.is_log_.tolist(),
            "mean": self.mean_.tolist(),
            "deviation": self.deviation_.tolist(),
            "with_null": self.with_null_.tolist(),
        }

    def restore(self, state: dict, contract: FeatureContract) -> LinearEncoder:
        """Take over a saved state."""
        self.is_log_ = np.array(state["is_log"], dtype=bool)
        self.mean_ = np.array(state["mean"], dtype=np.float32)
        self.deviation_ = np.array(state["deviation"], dtype=np.float32)
        self.with_null_ = np.array(state["with_null"], dtype=np.intp)
        return self._name_columns(contract)

    def _scale(self, numeric: np.ndarray) -> np.ndarray:
        scaled = numeric.copy()
        for column in np.flatnonzero(self.is_log_):
            scaled[:, column] = np.log1p(np.maximum(numeric[:, column], 0))
        return scaled

    def _transform(self, features: Features) -> np.ndarray:
        n_numeric = features.numeric.shape[1]
        inputs = np.zeros((len(features), len(self.sources_)), dtype=np.float32)
        standard = self._scale(features.numeric)
        standard -= self.mean_
        standard /= self.deviation_
        np.clip(standard, -CLIP, CLIP, out=standard)
        np.copyto(inputs[:, :n_numeric], standard, where=~np.isnan(standard))
        place = n_numeric + len(self.with_null_)
        inputs[:, n_numeric:place] = np.isnan(features.numeric[:, self.with_null_])
        for column, values in enumerate(features.contract.categories.values()):
            codes = features.codes[:, column]
            rows = np.flatnonzero(codes >= 0)
            inputs[rows, place + codes[rows]] = 1.0
            place += len(values)
        return inputs

    def _name_columns(self, contract: FeatureContract) -> LinearEncoder:
        numeric = contract.numeric
        self.sources_ = (
            list(numeric)
            + [numeric[i] for i in self.with_null_]
            + [name for name, values in contract.categories.items() for _ in values]
        )
        self.labels_ = (
            list(numeric)
            + [f"{numeric[i]} is null" for i in self.with_null_]
            + [
                f"{name} = {value}"
                for name, values in contract.categories.items()
                for value in values
            ]
        )
        return self
