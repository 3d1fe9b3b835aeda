"""Features that say nothing for a while: in place, so that no matrix is copied."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import numpy as np

from ml.pairs import MISSING_CODE, Features


@contextmanager
def neutralised(features: Features, names: Collection[str]) -> Iterator[Features]:
    """Make some features null in every row, and put their values back afterwards.

    A model that is fitted on them learns nothing from them: a column that never varies
    parts no two pairs. The contract stays as it is, because models may name features
    of their own (a single feature, the genre); taking columns out would break them, and
    would copy a matrix that fills half of the memory. What is copied are the values of
    the named features alone.

    Parameters
    ----------
    names
        Features to make null: NaN if numeric, ``MISSING_CODE`` if categorical.

    Yields
    ------
    Features
        The same matrices with encodings of their own. Valid within the block only.
    """
    contract = features.contract
    numeric = [i for i, name in enumerate(contract.numeric) if name in names]
    coded = [i for i, name in enumerate(contract.categories) if name in names]
    numbers, codes = features.numeric[:, numeric], features.codes[:, coded]
    try:
        for column in numeric:
            features.numeric[:, column] = np.nan
        for column in coded:
            features.codes[:, column] = MISSING_CODE
        yield Features(contract, features.numeric, features.codes, features.scores)
    finally:
        features.numeric[:, numeric] = numbers
        features.codes[:, coded] = codes
