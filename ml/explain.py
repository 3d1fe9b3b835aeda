"""Reasons for given pairs, from their features in the mart."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pyarrow as pa

from ml.pairs import Features, read_pairs
from ml.reasons import ReasonWriter
from ml.warehouse import SPARK, Warehouse

if TYPE_CHECKING:
    from ml.fitting import Fitted
    from ml.models import PurchaseModel

KEYS = ("user_id", "coupon_id")


def explain(
    warehouse: Warehouse,
    fitted: Fitted,
    model: PurchaseModel,
    cutoff: dt.date,
    pairs: pa.Table,
    with_lacking: bool = False,
) -> pa.Table:
    """Return what spoke for each of some pairs of a cutoff.

    Parameters
    ----------
    pairs
        Columns user_id, coupon_id; not empty.
    with_lacking
        Whether to say what spoke against them as well.

    Returns
    -------
    pyarrow.Table
        Columns user_id, coupon_id, reasons and, if asked for, lacking_reasons; the rows
        in any order.
    """
    if warehouse.engine == SPARK:
        from ml.spark.scores import explain_pairs

        with warehouse.registered("chosen_pairs", pairs.select(KEYS)):
            chosen = warehouse.frame("select * from chosen_pairs")
            return explain_pairs(
                warehouse, fitted, model, cutoff, chosen, with_lacking
            ).toArrow()
    writer = ReasonWriter(model, warehouse.columns("scoring_pairs"), fitted.averages)
    return pa.Table.from_batches(
        explained(writer, keys, features, with_lacking)
        for keys, features in read_pairs(warehouse, fitted.contract, cutoff, pairs)
    )


def explained(
    writer: ReasonWriter, keys: pa.RecordBatch, features: Features, with_lacking: bool
) -> pa.RecordBatch:
    """Return the keys of a batch with its reasons, columns as of :func:`explain`."""
    columns = {key: keys.column(key) for key in KEYS}
    columns["reasons"] = writer.write(features)
    if with_lacking:
        columns["lacking_reasons"] = writer.write_lacking(features)
    return pa.RecordBatch.from_pydict(columns)
