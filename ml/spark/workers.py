"""What Spark's workers do with the pairs: encode, predict, say why, one process a core.

Every function takes Arrow batches of ``ml.scoring_pairs`` and yields Arrow batches, as
``mapInArrow`` wants it. Models come as the text of their files, so that no worker
unpickles one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import pyarrow as pa

from ml.explain import KEYS, explained
from ml.grid import predict_all
from ml.models import PurchaseModel
from ml.models.blend import Blend
from ml.pairs import Features, encode
from ml.reasons import ReasonWriter
from ml.registry import saved_of_text
from ml.warehouse import Column

if TYPE_CHECKING:
    from pyspark import Accumulator, Broadcast


@dataclass(frozen=True)
class Scorer:
    """Scores batches with several models, a blend after its members.

    Attributes
    ----------
    texts
        The models' texts, see :func:`ml.registry.model_text`.
    seconds
        By model, what its predictions took of this worker.
    """

    texts: Broadcast[tuple[str, ...]]
    seconds: dict[str, Accumulator[float]]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the keys with a column of scores for each model."""
        models = restored(self.texts.value)
        for batch in batches:
            predictions = predict_all(models, features_of(batch, models[0]))
            columns = {key: batch.column(key) for key in KEYS}
            for name, (probability, seconds) in predictions.items():
                columns[name] = pa.array(probability, pa.float32())
                self.seconds[name].add(seconds)
            yield pa.RecordBatch.from_pydict(columns)


@dataclass(frozen=True)
class Explainer:
    """Says what spoke for the pairs of batches; see :func:`ml.explain.explain`."""

    texts: Broadcast[tuple[str, ...]]
    columns: Sequence[Column]
    with_lacking: bool

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the keys with the reasons."""
        saved = saved_of_text(self.texts.value[0])
        writer = ReasonWriter(saved.model, self.columns, saved.averages)
        for batch in batches:
            features = encode(batch, saved.model.contract_)
            yield explained(writer, batch, features, self.with_lacking)


def features_of(batch: pa.RecordBatch, model: PurchaseModel) -> Features:
    """Return the features of a batch, and which of its pairs share user or coupon."""
    user_id, coupon_id = (batch.column(key).to_numpy() for key in KEYS)
    return replace(encode(batch, model.contract_), users=user_id, coupons=coupon_id)


@lru_cache(maxsize=2)
def restored(texts: tuple[str, ...]) -> list[PurchaseModel]:
    """Return the models of their texts; one process scores many parts of the data."""
    models: dict[str, PurchaseModel] = {}
    for text in texts:
        model = saved_of_text(text).model
        if isinstance(model, Blend):
            # members that stand for themselves are asked once
            model.adopt(models)
        models[model.name] = model
    return list(models.values())
