"""Features to inputs of a linear model: scale, standardise, mark what is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np

from ml.pairs import FeatureContract, Features

#: Beyond this value, or this multiple of their mean, values count as long-tailed.
LONG_TAIL = 20.0
#: Standardised values beyond this many standard deviations are clipped.
CLIP = 5.0
#: What stands in place of a null, with or without an indicator of it.
MISSING = ("mean_and_indicator", "mean", "median_and_indicator", "median")
#: Rows that are encoded together: what stands between the steps stays in the cache.
BLOCK_ROWS = 512


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

    def fit(self, features: Features, rows: np.ndarray | None = None) -> LinearEncoder:
        """Learn scales and averages, column by column, so that nothing is copied.

        Parameters
        ----------
        rows : ndarray of intp
            Places of the pairs that are used; None: all of them.
        """
        self._choose_columns(features.contract)
        used = slice(None) if rows is None else rows
        learned = [
            self._learn(features.values[used, column])
            for column in self.numeric_columns_
        ]
        unit, mean, deviation, fill, has_null = np.array(learned).reshape(-1, 5).T
        self.log_unit_ = unit.astype(np.float32)
        self.mean_ = mean.astype(np.float32)
        self.deviation_ = deviation.astype(np.float32)
        self.fill_ = fill.astype(np.float32)
        self.with_null_ = np.empty(0, dtype=np.intp)
        if self.missing.endswith("indicator"):
            self.with_null_ = np.flatnonzero(has_null)
        return self._name_columns(features.contract)

    def transform(
        self, features: Features, rows: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the inputs of some rows, float32, shape (n, number of columns)."""
        n_rows = len(features) if rows is None else len(rows)
        inputs = np.empty((n_rows, len(self.sources_)), dtype=np.float32)
        for places, block in self.blocks(features, rows):
            inputs[places] = block
        return inputs

    def blocks(
        self, features: Features, rows: np.ndarray | None = None
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield places and their inputs, so few at a time that a cache can hold them.

        Where there are no rows, the one block is empty.

        Parameters
        ----------
        rows : ndarray of intp
            Rows that are encoded, of which no copy is made; None: all of them. Places
            are those among these rows.
        """
        n_values = [
            len(values)
            for column, values in enumerate(features.contract.categories.values())
            if column in self.coded_columns_
        ]
        coded = [len(features.contract.numeric) + i for i in self.coded_columns_]
        n_rows = len(features) if rows is None else len(rows)
        for start in range(0, max(n_rows, 1), BLOCK_ROWS):
            places = slice(start, start + BLOCK_ROWS)
            block = features.values[places if rows is None else rows[places]]
            inputs = np.empty((len(block), len(self.sources_)), dtype=np.float32)
            numeric = np.take(block, self.numeric_columns_, axis=1)
            self._fill(numeric, block[:, coded], n_values, inputs)
            yield places, inputs

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

    def part(self, names: Collection[str], contract: FeatureContract) -> LinearEncoder:
        """Return the encoder of some features alone; their columns keep their order."""
        part = LinearEncoder(self.groups, self.missing)
        is_kept = [contract.numeric[i] in names for i in self.numeric_columns_]
        kept = np.flatnonzero(is_kept)
        categories = list(contract.categories)
        part.numeric_columns_ = [self.numeric_columns_[i] for i in kept]
        part.coded_columns_ = [i for i in self.coded_columns_ if categories[i] in names]
        part.log_unit_ = self.log_unit_[kept]
        part.mean_ = self.mean_[kept]
        part.deviation_ = self.deviation_[kept]
        part.fill_ = self.fill_[kept]
        part.with_null_ = np.flatnonzero(np.isin(kept, self.with_null_))
        return part._name_columns(contract)

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

    def _learn(self, values: np.ndarray) -> tuple[float, float, float, float, bool]:
        """Return unit of the logarithm, mean, deviation, fill and if nulls occur."""
        known = values[~np.isnan(values)]
        has_null = len(known) < len(values)
        if not len(known):
            return 0.0, 0.0, 1.0, 0.0, has_null
        unit = _log_unit(known)
        if unit > 0:
            known = _logarithm(known, np.float32(unit))
        scaled = known.astype(np.float64)
        mean = scaled.mean()
        deviation = scaled.std() or 1.0
        fill = 0.0
        if self.missing.startswith("median") and has_null:
            fill = (np.median(scaled) - mean) / deviation
        return unit, mean, deviation, fill, has_null

    def _fill(
        self,
        numeric: np.ndarray,
        coded: np.ndarray,
        n_values: list[int],
        inputs: np.ndarray,
    ) -> None:
        """Write the inputs of some rows; ``numeric`` is changed on the way."""
        n_numeric = numeric.shape[1]
        place = n_numeric + len(self.with_null_)
        inputs[:, n_numeric:place] = np.isnan(numeric[:, self.with_null_])
        logs = np.flatnonzero(self.log_unit_)
        numeric[:, logs] = _logarithm(numeric[:, logs], self.log_unit_[logs])
        numeric -= self.mean_
        numeric /= self.deviation_
        np.clip(numeric, -CLIP, CLIP, out=numeric)
        np.copyto(numeric, self.fill_, where=np.isnan(numeric))
        inputs[:, :n_numeric] = numeric
        inputs[:, place:] = 0.0
        for codes, n in zip(coded.T, n_values, strict=True):
            rows = np.flatnonzero(~np.isnan(codes))
            inputs[rows, place + codes[rows].astype(np.intp)] = 1.0
            place += n

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


def _log_unit(known: np.ndarray) -> float:
    """Return the unit of a feature's logarithm, 0 if it is taken as it is."""
    highest, mean = float(known.max()), float(known.mean(dtype=np.float64))
    if known.min() < 0 or not np.isfinite(highest) or mean <= 0:
        return 0.0
    if highest > LONG_TAIL:
        return 1.0
    return mean if highest > LONG_TAIL * mean else 0.0


def _logarithm(values: np.ndarray, unit: np.ndarray | np.float32) -> np.ndarray:
    return np.log1p(np.maximum(values, 0) / unit)
