"""Compare what two warehouses say about one cutoff, column by column."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb

from ml.settings import build_memory_limit

#: Not comparable by nature: whether a week is over cannot be known at its start.
NOT_COMPARED = {("cutoffs", "is_labelled")}

#: Keys that are numbered anew in each build, and a query of the text that each stands
#: for.
NATURAL_KEYS = {
    "user_id": "select user_id, user_hash as natural_key from {db}.core.dim_users",
    "coupon_id": "select coupon_id, coupon_hash as natural_key "
    "from {db}.core.dim_coupons",
    "shop_key_id": "select shop_key_id, min(concat_ws('|', catalog_price_yen, "
    "discount_price_yen, small_area, genre)) as natural_key "
    "from {db}.core.dim_coupons group by shop_key_id",
}
#: Besides keys by id, these columns belong to the key of a mart.
KEY_COLUMNS = {
    "feature_user_genres": ["genre"],
    "feature_user_capsules": ["capsule"],
    "feature_user_genre_price_bands": ["genre_price_band"],
    "feature_user_large_areas": ["large_area"],
    "feature_user_prefectures": ["prefecture"],
    "feature_user_small_areas": ["small_area"],
    "feature_segment_coupons": ["segment"],
    "feature_segment_likeness": ["segment"],
    "feature_user_purchases": [
        *("genre", "capsule", "prefecture", "small_area", "discount_price_yen"),
    ],
    "feature_user_distances": ["distance_bin"],
    "feature_distance_shares": ["distance_bin"],
    "feature_newcomers": ["user_sex", "user_age", "user_prefecture"],
    "feature_user_usability": ["usability_pattern"],
    "feature_user_competition_views": ["genre", "prefecture"],
}
#: These marts are empty where no page view before the cutoff is known, and may hold
#: nothing of a single cutoff of a small sample.
SPARSE = {
    "feature_user_coupon_views",
    "feature_user_competition_views",
}
#: In these marts the shop key is an attribute of the coupon, not part of the key.
NOT_A_KEY = {"feature_coupons": ["shop_key_id"]}


def feature_marts(database: Path) -> list[tuple[str, str]]:
    """Return schema and name of every mart that holds features of a cutoff."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute(
            "select table_schema, table_name from information_schema.columns "
            "where column_name = 'cutoff_date' and (table_schema = 'features' "
            "or (table_schema, table_name) = ('ml', 'scoring_pairs')) order by all"
        ).fetchall()
    return rows


def differences(
    full: Path, cut: Path, cutoff: dt.date, may_be_empty: bool = False
) -> dict[str, list[str]]:
    """Return per mart the columns that differ at a cutoff; equal marts are left out.

    A row that only one of the two holds counts as a difference of the column ``row``.

    Parameters
    ----------
    may_be_empty
        Whether marts may hold nothing of the cutoff: in a world of a few users they do.
    """
    marts = feature_marts(full)
    assert marts == feature_marts(cut)
    found = {}
    with duckdb.connect(config={"memory_limit": build_memory_limit()}) as connection:
        # pairs are a cross join that the optimiser takes for small: it would hash them
        connection.execute(
            "set disabled_optimizers = 'join_order, build_side_probe_side'"
        )
        connection.execute(f"attach '{full}' as full_db (read_only)")
        connection.execute(f"attach '{cut}' as cut_db (read_only)")
        for schema, mart in marts:
            columns = _compare(connection, schema, mart, cutoff, may_be_empty)
            if columns:
                found[mart] = columns
    return found


def _compare(
    connection, schema: str, mart: str, cutoff: dt.date, may_be_empty: bool
) -> list[str]:
    columns = [
        row[0]
        for row in connection.execute(
            "select column_name from duckdb_columns() where database_name = 'full_db' "
            "and schema_name = ? and table_name = ? order by column_index",
            [schema, mart],
        ).fetchall()
        if (mart, row[0]) not in NOT_COMPARED
    ]
    keys = [
        column
        for column in columns
        if (column in NATURAL_KEYS and column not in NOT_A_KEY.get(mart, []))
        or column in KEY_COLUMNS.get(mart, [])
    ]
    compared = [column for column in columns if column not in keys]
    sums = {
        database: _sums(connection, database, schema, mart, cutoff, keys, compared)
        for database in ("full_db", "cut_db")
    }
    ((is_held,),) = connection.execute(
        f"select exists (from full_db.{schema}.{mart}) or not exists "
        "(from full_db.core.fct_visits)"
        if mart in SPARSE
        else f"select {sums['full_db']['row'] is not None}"
    ).fetchall()
    assert is_held or may_be_empty, f"{mart} holds nothing of {cutoff}"
    return [
        name
        for name in ["row", *compared]
        if sums["full_db"][name] != sums["cut_db"][name]
    ]


def _sums(
    connection,
    database: str,
    schema: str,
    mart: str,
    cutoff: dt.date,
    keys: list[str],
    compared: list[str],
) -> dict[str, int | None]:
    """Return per column the sum over rows of the hash of key and value.

    Equal sums mean equal columns, whatever the order of the rows, and millions of wide
    rows need no memory. The sum of the keys alone is that of the column ``row``.
    """
    columns = [*keys, *compared]
    natural = [column for column in columns if column in NATURAL_KEYS]
    joins = "".join(
        f" left join ({NATURAL_KEYS[column].format(db=database)}) as keys_{place} "
        f"on mart.{column} = keys_{place}.{column}"
        for place, column in enumerate(natural)
    )
    values = {
        column: f"keys_{natural.index(column)}.natural_key"
        if column in NATURAL_KEYS
        else f'mart."{column}"'
        for column in columns
    }
    key = "hash(" + ", ".join([values[column] for column in keys] or ["1"]) + ")"
    sums = [f"sum(hash({key}, {values[column]}))" for column in compared]
    found = connection.execute(
        f"select {', '.join([f'sum({key})', *sums])} "
        f"from {database}.{schema}.{mart} as mart{joins} "
        f"where mart.cutoff_date = '{cutoff}'"
    ).fetchone()
    return dict(zip(["row", *compared], found, strict=True))
