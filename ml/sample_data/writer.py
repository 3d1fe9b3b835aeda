"""Writes the world as CSV files with the headers and formats of the competition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from ml.sample_data import calendar
from ml.sample_data.context import Context
from ml.sample_data.coupons import Coupons
from ml.sample_data.events import Purchases, Visits
from ml.sample_data.names import Names
from ml.sample_data.streams import hash_array, random_hashes, stream
from ml.sample_data.users import Users

_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
USABLE_COLUMNS = [f"USABLE_DATE_{day}" for day in _WEEKDAYS] + [
    "USABLE_DATE_HOLIDAY",
    "USABLE_DATE_BEFORE_HOLIDAY",
]


def _text(values: np.ndarray) -> pa.Array:
    return pa.array(values, pa.string())


def _pick(words: np.ndarray, index: np.ndarray) -> pa.Array:
    return pa.array(list(words), pa.string()).take(pa.array(index))


def _time(seconds: np.ndarray) -> pa.Array:
    return pa.array(calendar.timestamps(seconds), pa.timestamp("s"))


def _if(condition: np.ndarray, text: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(condition), text, "NA")


def _write(path: Path, columns: dict[str, pa.Array]) -> None:
    table = pa.table(columns)
    # Arrow quotes header names; the competition's files have a plain header.
    with path.open("wb") as file:
        file.write((",".join(columns) + "\n").encode())
        pacsv.write_csv(
            table,
            file,
            pacsv.WriteOptions(include_header=False, quoting_style="none"),
        )


def write_users(directory: Path, names: Names, users: Users) -> None:
    """Write ``user_list.csv`` and ``sample_submission.csv``."""
    prefecture = _pick(names.prefecture_ja, users.home_prefecture)
    hashes = hash_array(users.hashes)
    withdrawn = _time(np.maximum(users.withdrawn, 0)).cast(pa.string())
    _write(
        directory / "user_list.csv",
        {
            "REG_DATE": _time(users.registered),
            "SEX_ID": _pick(np.array(["m", "f"]), users.is_female.astype(np.int64)),
            "AGE": pa.array(users.age),
            "WITHDRAW_DATE": _if(users.withdrawn >= 0, withdrawn),
            "PREF_NAME": pc.if_else(
                pa.array(users.has_prefecture), prefecture, pa.scalar(None, pa.string())
            ),
            "USER_ID_hash": hashes,
        },
    )
    order = np.argsort(users.hashes)
    _write(
        directory / "sample_submission.csv",
        {
            "USER_ID_hash": hash_array(users.hashes[order]),
            "PURCHASED_COUPONS": pa.nulls(len(users), pa.string()),
        },
    )


def write_coupons(directory: Path, names: Names, coupons: Coupons, seed: int) -> None:
    """Write the two coupon lists and the two area lists."""
    for is_test, suffix in ((False, "train"), (True, "test")):
        rng = stream(seed, "list order", int(is_test))
        rows = rng.permutation(np.flatnonzero(coupons.is_test == is_test))
        _write(
            directory / f"coupon_list_{suffix}.csv",
            _coupon_columns(names, coupons, rows),
        )
        listed = rows[coupons.has_areas[rows]]
        item, area = np.nonzero(coupons.area_lists[listed])
        order = rng.permutation(len(item))
        item, area = listed[item[order]], area[order]
        _write(
            directory / f"coupon_area_{suffix}.csv",
            {
                "SMALL_AREA_NAME": _pick(names.small_area_ja, area),
                "PREF_NAME": _pick(
                    names.prefecture_ja, names.small_area_prefecture[area]
                ),
                "COUPON_ID_hash": hash_array(coupons.hashes[item]),
            },
        )


def _coupon_columns(
    names: Names, coupons: Coupons, rows: np.ndarray
) -> dict[str, pa.Array]:
    capsule = names.capsule_ja[coupons.capsule[rows]].copy()
    for position in np.flatnonzero(coupons.is_misspelt[rows]):
        number = int(coupons.capsule[rows[position]])
        capsule[position] = names.capsule_variant.get(number, capsule[position])
    first, last = coupons.valid_from[rows], coupons.valid_until[rows]
    valid = first >= 0
    prefecture = coupons.prefecture[rows]
    columns = {
        "CAPSULE_TEXT": _text(capsule),
        "GENRE_NAME": _pick(names.genre_ja, coupons.genre[rows]),
        "PRICE_RATE": pa.array(coupons.price_rate[rows]),
        "CATALOG_PRICE": pa.array(coupons.catalog_price[rows]),
        "DISCOUNT_PRICE": pa.array(coupons.discount_price[rows]),
        "DISPFROM": _time(coupons.sale_start[rows]),
        "DISPEND": _time(coupons.sale_end[rows]),
        "DISPPERIOD": pa.array(coupons.display_days[rows]),
        "VALIDFROM": _if(valid, _date(first)),
        "VALIDEND": _if(valid, _date(last)),
        "VALIDPERIOD": _if(valid, pa.array(last - first).cast(pa.string())),
    }
    for number, column in enumerate(USABLE_COLUMNS):
        flag = coupons.usable[rows, number]
        columns[column] = _if(flag >= 0, pa.array(flag).cast(pa.string()))
    columns["large_area_name"] = _pick(
        names.large_area_ja, names.prefecture_large_area[prefecture]
    )
    columns["ken_name"] = _pick(names.prefecture_ja, prefecture)
    columns["small_area_name"] = _pick(names.small_area_ja, coupons.small_area[rows])
    columns["COUPON_ID_hash"] = hash_array(coupons.hashes[rows])
    return columns


def _date(days: np.ndarray) -> pa.Array:
    return pa.array(calendar.dates(np.maximum(days, 0))).cast(pa.string())


def write_prefectures(directory: Path, names: Names) -> None:
    """Write ``prefecture_locations.csv``, which opens with a byte order mark."""
    with (directory / "prefecture_locations.csv").open(
        "w", encoding="utf-8-sig", newline=""
    ) as file:
        file.write("PREF_NAME,PREFECTUAL_OFFICE,LATITUDE,LONGITUDE\r\n")
        for number, name in enumerate(names.prefecture_ja):
            latitude, longitude = names.latitude[number], names.longitude[number]
            file.write(
                f"{name},{names.office_ja[number]},{latitude:.6f},{longitude:.6f}\r\n"
            )


class LogWriter:
    """Appends purchases and visits, one week at a time.

    Parameters
    ----------
    directory
        Where ``coupon_detail_train.csv`` and ``coupon_visit_train.csv`` go.
    context
        The world.
    ghost_hashes
        Hashes of viewed coupons that stand in no list.
    n_referrers
        Number of referrers in the page views.
    """

    DETAIL = (
        "ITEM_COUNT,I_DATE,SMALL_AREA_NAME,PURCHASEID_hash,USER_ID_hash,COUPON_ID_hash"
    )
    VISIT = (
        "PURCHASE_FLG,I_DATE,PAGE_SERIAL,REFERRER_hash,VIEW_COUPON_ID_hash,"
        "USER_ID_hash,SESSION_ID_hash,PURCHASEID_hash"
    )

    def __init__(
        self,
        directory: Path,
        context: Context,
        ghost_hashes: np.ndarray,
        n_referrers: int,
    ) -> None:
        self._users = hash_array(context.users.hashes)
        self._coupons = hash_array(
            np.concatenate([context.coupons.hashes, ghost_hashes])
        )
        self._areas = pa.array(list(context.names.small_area_ja), pa.string())
        self._seed = context.seed
        self._referrers = hash_array(
            random_hashes(stream(self._seed, "referrer hashes"), n_referrers)
        )
        self._detail = (directory / "coupon_detail_train.csv").open("wb")
        self._visit = (directory / "coupon_visit_train.csv").open("wb")
        self._detail.write((self.DETAIL + "\n").encode())
        self._visit.write((self.VISIT + "\n").encode())
        self._options = pacsv.WriteOptions(include_header=False, quoting_style="none")

    def write(self, week: int, purchases: Purchases, visits: Visits) -> None:
        """Append one week."""
        ids = purchase_hashes(self._seed, week, len(purchases))
        if len(purchases):
            pacsv.write_csv(
                self.purchase_table(purchases, ids), self._detail, self._options
            )
        if len(visits):
            first = purchases.number[0] if len(purchases) else 0
            pacsv.write_csv(
                self._visit_table(week, visits, ids, first),
                self._visit,
                self._options,
            )

    def purchase_table(self, purchases: Purchases, ids: np.ndarray) -> pa.Table:
        """Purchases in the columns of ``coupon_detail_train.csv``."""
        return pa.table(
            {
                "ITEM_COUNT": pa.array(purchases.items),
                "I_DATE": _time(purchases.second),
                "SMALL_AREA_NAME": self._areas.take(pa.array(purchases.small_area)),
                "PURCHASEID_hash": hash_array(ids),
                "USER_ID_hash": self._users.take(pa.array(purchases.user)),
                "COUPON_ID_hash": self._coupons.take(pa.array(purchases.coupon)),
            }
        )

    def _visit_table(
        self, week: int, visits: Visits, ids: np.ndarray, first: int
    ) -> pa.Table:
        flagged = visits.purchase >= 0
        own = np.where(flagged, visits.purchase - first, 0)
        purchase = (
            hash_array(ids).take(pa.array(own))
            if len(ids)
            else pa.array(["NA"] * len(own), pa.string())
        )
        number, session = np.unique(visits.session, return_inverse=True)
        sessions = random_hashes(
            stream(self._seed, "session hashes", week), len(number)
        )
        return pa.table(
            {
                "PURCHASE_FLG": pa.array(flagged.astype(np.int64)),
                "I_DATE": _time(visits.second),
                "PAGE_SERIAL": pa.array(visits.page_serial),
                "REFERRER_hash": self._referrers.take(pa.array(visits.referrer)),
                "VIEW_COUPON_ID_hash": self._coupons.take(pa.array(visits.coupon)),
                "USER_ID_hash": self._users.take(pa.array(visits.user)),
                "SESSION_ID_hash": hash_array(sessions[session]),
                "PURCHASEID_hash": _if(flagged, purchase),
            }
        )

    def close(self) -> None:
        """Close both files."""
        self._detail.close()
        self._visit.close()


def purchase_hashes(seed: int, week: int, n: int) -> np.ndarray:
    """Hashes of the purchases of one week."""
    return random_hashes(stream(seed, "purchase hashes", week), n)
