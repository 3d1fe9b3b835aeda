"""Examples of the second target: which genre a buyer of the week buys first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.pairs import FeatureContract, Features, encode
from ml.warehouse import Warehouse, WarehouseError

#: Columns of ``ml.next_genre_examples`` that are no features.
NOT_FEATURES = ("cutoff_date", "user_id", "genre")


@dataclass(frozen=True)
class Examples:
    """Users who bought in a target week, ordered by cutoff and user.

    Attributes
    ----------
    genre : ndarray of object, shape (n,)
        The label: genre of the first purchase in the week.
    cutoff : ndarray of datetime64[D], shape (n,)
    user_id : ndarray of int32, shape (n,)
    """

    features: Features
    genre: np.ndarray
    cutoff: np.ndarray
    user_id: np.ndarray

    def __len__(self) -> int:
        return len(self.genre)

    def take(self, rows: np.ndarray) -> Examples:
        """Return some rows (indices or a mask)."""
        return Examples(
            self.features.take(rows),
            self.genre[rows],
            self.cutoff[rows],
            self.user_id[rows],
        )


def read_examples(warehouse: Warehouse, last: dt.date) -> Examples:
    """Read the examples of all labelled cutoffs up to one.

    Raises
    ------
    WarehouseError
        There are none.
    """
    found = warehouse.table(
        "select examples.* from ml.next_genre_examples as examples "
        "inner join core.dim_users as users on examples.user_id = users.user_id "
        "where examples.cutoff_date <= ? order by examples.cutoff_date, user_hash",
        [last],
    )
    if not len(found):
        raise WarehouseError(f"nobody bought anything in a labelled week up to {last}.")
    columns = {
        field.name: str(field.type)
        for field in found.schema
        if field.name not in NOT_FEATURES
    }
    contract = FeatureContract(
        numeric=tuple(name for name, kind in columns.items() if kind != "string"),
        categories={
            name: _values(found, name)
            for name, kind in columns.items()
            if kind == "string"
        },
        groups=dict.fromkeys(columns, "user"),
    )
    return Examples(
        encode(found.combine_chunks(), contract),
        np.array(found["genre"].to_pylist(), dtype=object),
        found["cutoff_date"].to_numpy().astype("datetime64[D]"),
        found["user_id"].to_numpy(),
    )


def _values(found, name: str) -> tuple[str, ...]:
    return tuple(sorted(set(found[name].to_pylist()) - {None}))


def days_of(examples: Examples) -> Sequence[dt.date]:
    """Return the cutoffs of the examples, oldest first."""
    return [day.item() for day in np.unique(examples.cutoff)]
