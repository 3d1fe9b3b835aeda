"""Features that say nothing for a while: in place, so that no matrix is copied."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import numpy as np

from ml.pairs import Features


@contextmanager
def neutralised(features: Features, names: Collection[str]) -> Iterator[None]:
    """Make some features null in every row, and put their values back afterwards.

    A model that is fitted on them learns nothing from them: a column that never varies
    parts no two pairs. The contract stays as it is, because models may name features
    of their own (a single feature, the genre); taking columns out would break them, and
    would copy a matrix that fills half of the memory. What is copied are the values of
    the named features alone.

    Parameters
    ----------
    names
        Features to make null.
    """
    columns = [i for i, name in enumerate(features.contract.names) if name in names]
    values = features.values[:, columns]
    try:
        features.values[:, columns] = np.nan
        yield
    finally:
        features.values[:, columns] = values
