"""Compare every model with the oracle on samples whose truth is known.

Takes samples whose warehouse is built and trained. Each model is fitted on all labelled
weeks with the settings of the last run, ranks the test week, and is measured on the
purchases of that week and on weeks drawn anew from the true intensities: one real week
says little about a small sample.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ml import cli, metrics, oracle, settings
from ml.files import write_whole
from ml.fitting import fit_models, score
from ml.grid import ScoredGrid
from ml.markdown import table
from ml.models import MODELS
from ml.pairs import places_of
from ml.version import code_version
from ml.warehouse import Warehouse, WarehouseError, open_warehouse

EXAMPLE = "example: python -m ml.oracle_report --data data/seed-1 data/seed-2"
DRAWN_WEEKS = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("oracle_report", __doc__, EXAMPLE)
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        default=[settings.data_dir()],
        help="generated samples, built and trained (default: PONPARE_DATA_DIR)",
    )
    parser.add_argument("--write", type=Path, help="also write the tables as Markdown")
    return cli.run(lambda: _run(parser.parse_args(arguments)))


def _run(options: argparse.Namespace) -> None:
    try:
        reports = [
            compare(data, database).assign(sample=data.name)
            for data, database in _with_warehouses(options.data)
        ]
    except oracle.TruthError as error:
        raise cli.CommandError(str(error)) from error
    rows = pd.concat(reports)
    for title, wide in tables(rows).items():
        print(f"\n{title}\n{wide.to_string()}")
    if options.write is not None:
        write_whole(options.write, markdown(rows))


def _with_warehouses(samples: list[Path]) -> list[tuple[Path, Path]]:
    """Pair samples with their warehouses; PONPARE_DB can name only a single one."""
    if len(samples) == 1 and os.environ.get("PONPARE_DB"):
        return [(samples[0], settings.warehouse_path())]
    return [(data, settings.warehouse_of(data)) for data in samples]


def compare(data: Path, database: Path, random_state: int = 0) -> pd.DataFrame:
    """Return what each model reaches on one sample, and the oracle with it.

    Parameters
    ----------
    data
        Generated sample with its truth beside it.
    database
        Its warehouse, built and trained.

    Returns
    -------
    pandas.DataFrame
        week ("real" or "drawn"), model, slice, n_users, n_buyers, map_at_10, share of
        the oracle's, regret; see :func:`ml.oracle.report`.

    Raises
    ------
    ml.oracle.TruthError
        The directory is not a generated sample.
    WarehouseError
        Its warehouse is not built, or nothing was trained in it.
    """
    truth = oracle.load_truth(data)
    with open_warehouse(database, read_only=True) as warehouse:
        cutoff, parameters = _last_settings(warehouse)
        weeks = [
            c.date for c in warehouse.cutoffs() if c.is_labelled and c.date < cutoff
        ]
        fitted = fit_models(
            warehouse, weeks, parameters, random_state, with_thresholds=False
        )
        grid = score(warehouse, fitted, cutoff)
        ranked = {name: _top_ten(warehouse, grid, name) for name in parameters}
    by = oracle.slices(truth, data)
    ranked["random"] = oracle.random_recommendations(truth)
    real = oracle.report(truth, ranked, by).assign(week="real")
    drawn = [
        oracle.report(truth.drawn_again(seed), ranked, by)
        for seed in range(DRAWN_WEEKS)
    ]
    return pd.concat([real, _mean_of(drawn).assign(week="drawn")])


def _last_settings(warehouse: Warehouse) -> tuple[dt.date, dict[str, dict]]:
    cutoff = warehouse.cutoffs()[-1].date
    rows = warehouse.rows(
        "select model_name, parameters from ml.model_runs where cutoff_date = ? "
        "and data_fingerprint = ? and started_at = (select max(started_at) "
        "from ml.model_runs where cutoff_date = ? and data_fingerprint = ?)",
        [cutoff, warehouse.data_fingerprint()] * 2,
    )
    if not rows:
        raise WarehouseError(
            f"no run of these files has scored {cutoff}: run `python -m ml.train`."
        )
    settings_of = {name: json.loads(parameters) for name, parameters in rows}
    return cutoff, {name: settings_of[name] for name in MODELS if name in settings_of}


def _top_ten(warehouse: Warehouse, grid: ScoredGrid, name: str) -> pd.DataFrame:
    top = metrics.top_k(grid.scores[name])
    users = hashes_of(warehouse, "user", grid.candidates.user_ids)
    coupons = hashes_of(warehouse, "coupon", grid.candidates.coupon_ids)
    return pd.DataFrame(
        {
            "user_hash": np.repeat(users, top.shape[1]),
            "coupon_hash": coupons[top.ravel()],
            "rank": np.tile(np.arange(1, top.shape[1] + 1), len(top)),
        }
    )


def hashes_of(warehouse: Warehouse, key: str, ids: np.ndarray) -> np.ndarray:
    """Return the hash of each id, in their order.

    Parameters
    ----------
    key
        ``user`` or ``coupon``.
    ids : ndarray of int, shape (n,)
        Each once; they need not be in the order of the hashes.
    """
    with warehouse.registered("wanted", pa.table({"id": ids})):
        found = warehouse.table(
            f"select {key}_id as id, {key}_hash as hash from core.dim_{key}s "
            f"where {key}_id in (select id from wanted)"
        )
    hashes = np.empty(len(ids), dtype=object)
    hashes[places_of(ids, found["id"].to_numpy())] = found["hash"].to_pylist()
    return hashes


def _mean_of(reports: list[pd.DataFrame]) -> pd.DataFrame:
    """Average over drawn weeks; the share is that of the averages."""
    keys = ["model", "slice"]
    mean = pd.concat(reports).groupby(keys, sort=False).mean().reset_index()
    best = mean[mean["model"] == "oracle"].set_index("slice")["map_at_10"]
    mean["share"] = mean["map_at_10"] / mean["slice"].map(best)
    return mean


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the tables of the report by title: MAP@10, share, regret by slice."""
    everyone = rows[rows["slice"] == "all"]
    by_sample = {
        f"{title}, {week} test week": _wide(
            everyone[everyone["week"] == week], "sample", column
        )
        for week in ("real", "drawn")
        for title, column in (
            ("MAP@10 over all users", "map_at_10"),
            ("Share of the oracle's MAP@10", "share"),
        )
    }
    drawn = rows[(rows["week"] == "drawn") & (rows["slice"] != "all")]
    return by_sample | {
        "Regret (oracle minus model) by purchases before, drawn test weeks": _wide(
            drawn, "slice", "regret"
        )
    }


def _wide(rows: pd.DataFrame, across: str, value: str) -> pd.DataFrame:
    wide = rows.pivot_table(index="model", columns=across, values=value, sort=False)
    if across == "sample" and len(wide.columns) > 1:
        wide["mean"] = wide.mean(axis=1)
    return (
        wide.sort_values(wide.columns[-1], ascending=value == "regret")
        .round(5)
        .rename_axis(None)
        .rename_axis(None, axis=1)
    )


def markdown(rows: pd.DataFrame) -> str:
    """Return the tables as a Markdown page."""
    users = rows[rows["slice"] == "all"].groupby("sample", sort=False)["n_users"].max()
    sizes = ", ".join(f"{name} {n:,.0f}" for name, n in users.items())
    lines = [
        "# The models against the oracle",
        "",
        "Written by `make oracle` on synthetic samples whose true purchase intensities "
        f"are known (users: {sizes}; version {code_version()}). The oracle ranks by "
        "them; no model can do better but by luck. A drawn week takes the week's "
        "purchases anew from the intensities; figures are means over "
        f"{DRAWN_WEEKS} of them.",
    ]
    for title, wide in tables(rows).items():
        head = ["model", *map(str, wide.columns)]
        cells = [
            [str(name), *(f"{value:.5f}" for value in values)]
            for name, values in zip(wide.index, wide.to_numpy(), strict=True)
        ]
        lines += ["", f"## {title}", "", *table(head, cells)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
