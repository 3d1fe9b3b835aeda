"""Pair marts to matrices: Arrow in, float32 and category codes out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.warehouse import Column, Warehouse, WarehouseError

MISSING_CODE = -1
#: Ids of users between which likenesses are summed up at a time: their sums are held in
#: memory, and every time costs a few tenths of a second.
USERS_AT_A_TIME = 8_000


@dataclass(frozen=True)
class FeatureContract:
    """Which features a model sees, in which order, and their categories.

    Attributes
    ----------
    numeric
        Names of numeric features (booleans count as 0 and 1).
    categories
        Per categorical feature its known values, sorted; the code of a value is its
        place in this list, ``MISSING_CODE`` stands for null and unknown values.
    groups
        Feature group per feature name.
    scores
        Columns that are no features: one model ranks by each, no other sees them.
    levels
        Per feature ``user``, ``coupon`` or ``pair``: what it says something of. Empty
        in files of older versions.
    training_mart, scoring_mart
        Where the pairs are read; a model file is always of those of schema ``ml``.
    """

    numeric: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    groups: dict[str, str]
    scores: tuple[str, ...] = ()
    # how models save work, not what they see
    levels: dict[str, str] = field(default_factory=dict, compare=False)
    training_mart: str = "ml.training_pairs"
    scoring_mart: str = "ml.scoring_pairs"

    @property
    def names(self) -> tuple[str, ...]:
        """All features, numeric ones first."""
        return self.numeric + tuple(self.categories)

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read of a pair mart besides its keys."""
        return self.names + self.scores

    def of_level(self, level: str) -> list[str]:
        """Return the features of a level, in their order."""
        return [name for name in self.names if self.levels.get(name, "pair") == level]

    def places(self, names: Sequence[str]) -> list[int]:
        """Return the columns of features, as :class:`Features` has them."""
        place = {name: i for i, name in enumerate(self.names)}
        return [place[name] for name in names]

    def to_dict(self) -> dict:
        """Return the contract as plain lists and dictionaries, for a model file."""
        return {
            "numeric": list(self.numeric),
            "categories": {k: list(v) for k, v in self.categories.items()},
            "groups": self.groups,
            "scores": list(self.scores),
            "levels": self.levels,
        }

    @classmethod
    def from_dict(cls, content: dict) -> FeatureContract:
        """Rebuild a contract from :meth:`to_dict`."""
        return cls(
            numeric=tuple(content["numeric"]),
            categories={k: tuple(v) for k, v in content["categories"].items()},
            groups=dict(content["groups"]),
            scores=tuple(content.get("scores", ())),
            levels=dict(content.get("levels", {})),
        )


@dataclass(frozen=True)
class Features:
    """Feature values of n pairs, in one matrix that trees take as it is.

    Attributes
    ----------
    values : ndarray of float32, shape (n, number of features)
        Columns as in ``contract.names``; a category is the place of its value in the
        contract's list. NaN where the mart holds null or the category is unknown.
    scores : ndarray of float32, shape (n, number of scores)
        None if the contract has none.
    users, coupons : ndarray of int, shape (n,)
        Pairs with equal numbers are of one user, of one coupon; None if that is not
        known.
    """

    contract: FeatureContract
    values: np.ndarray
    scores: np.ndarray | None = None
    users: np.ndarray | None = None
    coupons: np.ndarray | None = None

    @classmethod
    def empty(cls, contract: FeatureContract, n_rows: int) -> Features:
        """Return features of n pairs that are still to be filled in."""
        return cls(
            contract,
            np.empty((n_rows, len(contract.names)), np.float32),
            np.empty((n_rows, len(contract.scores)), np.float32),
        )

    @classmethod
    def of(
        cls,
        contract: FeatureContract,
        numeric: np.ndarray,
        codes: np.ndarray,
        scores: np.ndarray | None = None,
    ) -> Features:
        """Return features from numbers and category codes, as the properties are."""
        values = np.empty((len(numeric), len(contract.names)), np.float32)
        features = cls(contract, values, scores)
        features.numeric[:] = numeric
        coded = features.values[:, len(contract.numeric) :]
        coded[:] = np.where(codes == MISSING_CODE, np.nan, codes)
        return features

    def __len__(self) -> int:
        return len(self.values)

    @property
    def numeric(self) -> np.ndarray:
        """View of the numeric features, float32, shape (n, n_numeric)."""
        return self.values[:, : len(self.contract.numeric)]

    @property
    def codes(self) -> np.ndarray:
        """Codes of the categories, int16, ``MISSING_CODE`` for null and unknown."""
        return _codes(self.values[:, len(self.contract.numeric) :])

    def column(self, name: str) -> np.ndarray:
        """Return one numeric feature, shape (n,)."""
        return self.values[:, self.contract.numeric.index(name)]

    def column_codes(self, name: str) -> np.ndarray:
        """Return the codes of one categorical feature, int16, shape (n,)."""
        return _codes(self.values[:, self.contract.names.index(name)])

    def score(self, name: str) -> np.ndarray:
        """Return one score, shape (n,)."""
        return self.scores[:, self.contract.scores.index(name)]

    def take(self, rows: np.ndarray | slice) -> Features:
        """Return the features of some rows (indices, a mask or a slice)."""
        scores, users, coupons = (
            None if of_pairs is None else of_pairs[rows]
            for of_pairs in (self.scores, self.users, self.coupons)
        )
        return Features(self.contract, self.values[rows], scores, users, coupons)


@dataclass(frozen=True)
class TrainingSet:
    """Labelled pairs, ordered by cutoff and the hashes of user and coupon.

    Attributes
    ----------
    label : ndarray of bool, shape (n,)
    weight : ndarray of float64, shape (n,)
        One over the probability with which the pair was sampled.
    cutoff : ndarray of datetime64[D], shape (n,)
    user_id, coupon_id : ndarray of int32, shape (n,)
    viewed : ndarray of bool, shape (n,)
        Whether the user looked at the coupon in the week or bought it; None if the
        data have no visit log.
    """

    features: Features
    label: np.ndarray
    weight: np.ndarray
    cutoff: np.ndarray
    user_id: np.ndarray
    coupon_id: np.ndarray
    viewed: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: np.ndarray) -> TrainingSet:
        """Return some rows (indices or a mask)."""
        return TrainingSet(
            self.features.take(rows),
            self.label[rows],
            self.weight[rows],
            self.cutoff[rows],
            self.user_id[rows],
            self.coupon_id[rows],
            None if self.viewed is None else self.viewed[rows],
        )


@dataclass(frozen=True)
class Candidates:
    """The full grid of one cutoff: every candidate user by every candidate coupon.

    Rows and columns follow the order of the hashes, so that ties broken by position
    are ties broken by ``coupon_hash``.

    Attributes
    ----------
    user_ids : ndarray of int32, shape (n_users,)
    coupon_ids : ndarray of int32, shape (n_coupons,)
    """

    cutoff: dt.date
    user_ids: np.ndarray
    coupon_ids: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Number of users and of coupons."""
        return len(self.user_ids), len(self.coupon_ids)

    @property
    def n_pairs(self) -> int:
        """Number of pairs in the grid."""
        return len(self.user_ids) * len(self.coupon_ids)


def read_contract(warehouse: Warehouse, cutoffs: Sequence[dt.date]) -> FeatureContract:
    """Read the features of the pair marts and the categories seen in training.

    Parameters
    ----------
    cutoffs
        Cutoffs to train on: a value that turned up later is unknown to the model.

    Raises
    ------
    WarehouseError
        The two pair marts disagree about their features.
    """
    columns = warehouse.columns("training_pairs")
    features, scores = _features(columns), _features(columns, "score")
    scored = warehouse.columns("scoring_pairs")
    if [features, scores] != [_features(scored), _features(scored, "score")]:
        raise WarehouseError(
            "ml.training_pairs and ml.scoring_pairs have different features: "
            "give both the same columns in models/marts/ml and run `dbt build`."
        )
    categories = read_categories(
        *(warehouse, "ml.training_pairs"),
        *([c.name for c in features if c.is_categorical], cutoffs),
    )
    return FeatureContract(
        numeric=tuple(c.name for c in features if not c.is_categorical),
        categories=categories,
        groups={column.name: column.feature_group for column in features},
        levels={column.name: column.level for column in features},
        scores=tuple(column.name for column in scores),
    )


def read_categories(
    warehouse: Warehouse,
    relation: str,
    names: Sequence[str],
    cutoffs: Sequence[dt.date],
) -> dict[str, tuple[str, ...]]:
    """Return the values of some columns of a relation at some cutoffs, sorted."""
    return {
        name: tuple(
            row[0]
            for row in warehouse.rows(
                f'select distinct "{name}" as value from {relation} '
                f'where "{name}" is not null '
                f"and cutoff_date in ({_marks(cutoffs)}) order by value",
                list(cutoffs),
            )
        )
        for name in names
    }


def _features(columns: Sequence[Column], role: str = "feature") -> list[Column]:
    return [column for column in columns if column.role == role]


def read_training_set(
    warehouse: Warehouse,
    contract: FeatureContract,
    cutoffs: Sequence[dt.date],
) -> TrainingSet:
    """Read the sampled pairs of some labelled cutoffs, to fit models on them next.

    Raises
    ------
    WarehouseError
        There is no pair of a cutoff, or nothing was bought in any of the weeks.
    """
    # what is left of pairs that were scored before would come on top
    warehouse.release_memory()
    training = read_labelled_pairs(warehouse, contract, cutoffs)
    if not training.label.any():
        raise WarehouseError(
            f"nobody bought a candidate coupon in the weeks {min(cutoffs)} .. "
            f"{max(cutoffs)}: there is nothing to learn from. Choose a later --cutoff."
        )
    # models are fitted next, and need the room
    warehouse.release_memory()
    return training


def read_labelled_pairs(
    warehouse: Warehouse,
    contract: FeatureContract,
    cutoffs: Sequence[dt.date],
) -> TrainingSet:
    """Read the sampled pairs of some labelled cutoffs.

    The rows come back in the order of their hashes, whatever order the engine used and
    whatever keys they have.

    Raises
    ------
    WarehouseError
        There is no pair of a cutoff.
    """
    users, coupons = (in_order_of_hashes(warehouse, key) for key in ("user", "coupon"))
    sizes = dict(
        warehouse.rows(
            "select cutoff_date, count(*) from ml.training_pairs group by cutoff_date"
        )
    )
    lacking = [cutoff for cutoff in cutoffs if cutoff not in sizes]
    if lacking or not cutoffs:
        raise WarehouseError(
            "ml.training_pairs holds no pair of "
            f"{', '.join(str(c) for c in lacking) or 'any labelled cutoff'}: "
            "run `dbt build` with data that reach the end of an earlier week."
        )
    n_rows = sum(sizes[cutoff] for cutoff in cutoffs)
    training = TrainingSet(
        Features.empty(contract, n_rows),
        label=np.empty(n_rows, dtype=bool),
        weight=np.empty(n_rows, dtype=np.float64),
        cutoff=np.empty(n_rows, dtype="datetime64[D]"),
        user_id=np.empty(n_rows, dtype=np.int32),
        coupon_id=np.empty(n_rows, dtype=np.int32),
        viewed=np.empty(n_rows, dtype=bool) if has_views(warehouse) else None,
    )
    query = (
        "select user_id, coupon_id, label, weight, is_viewed, "
        f"{_list(contract.columns)} from {contract.training_mart} "
        "where cutoff_date = ?"
    )
    start = 0
    for cutoff in sorted(cutoffs):
        week = warehouse.table(query, [cutoff])
        rows = slice(start, start + len(week))
        _fill_in(training, rows, week, users, coupons)
        training.cutoff[rows] = np.datetime64(cutoff)
        start = rows.stop
        # the week to come needs its room
        del week
    if start != n_rows:
        raise RuntimeError(
            f"{contract.training_mart} holds {start:,} pairs, expected {n_rows:,} as "
            "in ml.training_pairs: what is joined to them has lost or doubled keys."
        )
    return training


def _fill_in(
    training: TrainingSet,
    rows: slice,
    week: pa.Table,
    users: np.ndarray,
    coupons: np.ndarray,
) -> None:
    """Write the pairs of a week, in the order of users and coupons, all but its day."""
    week = week.combine_chunks()
    user_id, coupon_id = (week[name].to_numpy() for name in ("user_id", "coupon_id"))
    order = np.lexsort((places_of(coupons, coupon_id), places_of(users, user_id)))
    features = encode(week, training.features.contract)
    training.features.values[rows] = features.values[order]
    training.features.scores[rows] = features.scores[order]
    training.label[rows] = week["label"].to_numpy()[order]
    training.weight[rows] = week["weight"].to_numpy()[order]
    training.user_id[rows] = user_id[order]
    training.coupon_id[rows] = coupon_id[order]
    if training.viewed is not None:
        training.viewed[rows] = week["is_viewed"].to_numpy()[order]


def has_views(warehouse: Warehouse) -> bool:
    """Return whether it is known of every training pair if it was looked at."""
    [(n_unknown,)] = warehouse.rows(
        "select count(*) from ml.training_pairs where is_viewed is null"
    )
    return n_unknown == 0


def in_order_of_hashes(
    warehouse: Warehouse, key: str, cutoff: dt.date | None = None
) -> np.ndarray:
    """Return the ids of users or coupons in the order of their hashes, int32.

    Parameters
    ----------
    key
        ``user`` or ``coupon``.
    cutoff
        Only the candidates of this cutoff; by default all that are listed.
    """
    candidates = (
        f"inner join features.feature_{key}s using ({key}_id) where cutoff_date = ?"
    )
    return warehouse.table(
        f"select {key}_id as id from core.dim_{key}s "
        f"{candidates if cutoff else ''} order by {key}_hash",
        [cutoff] if cutoff else [],
    )["id"].to_numpy()


def places_of(ids: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return where each wanted id stands among ids that are in no order of their own.

    Parameters
    ----------
    ids : ndarray of int, shape (n,)
        Small positive numbers, each once.
    wanted : ndarray of int, any shape
        Some of them.
    """
    place = np.full(ids.max(initial=0) + 1, -1)
    place[ids] = np.arange(len(ids))
    return place[wanted]


def read_candidates(warehouse: Warehouse, cutoff: dt.date) -> Candidates:
    """Read the users and coupons of one cutoff, in the order of their hashes."""
    return Candidates(
        cutoff,
        *(in_order_of_hashes(warehouse, key, cutoff) for key in ("user", "coupon")),
    )


def read_evaluated_users(warehouse: Warehouse) -> np.ndarray | None:
    """Return the users of user_list who are evaluated; None if all of them are.

    Where there are more than the warehouse can hand over they are drawn by the MD5 of
    their hashes, candidates or not, so that means over them are means of everyone.

    Returns
    -------
    ndarray of int32
        Their ``user_id``, in the order of their hashes.
    """
    most = warehouse.max_evaluated_users
    ((n_users,),) = warehouse.rows("select count(*) from core.dim_users")
    if most is None or n_users <= most:
        return None
    drawn = warehouse.table(
        "select user_id from core.dim_users order by md5(user_hash), user_hash "
        f"limit {int(most)}"
    )
    everyone = in_order_of_hashes(warehouse, "user")
    return everyone[np.isin(everyone, drawn["user_id"].to_numpy())]


def read_labels(warehouse: Warehouse, candidates: Candidates) -> np.ndarray:
    """Return which pairs were bought in the target week, bool, shape of the grid.

    What others than the candidates bought is left out.
    """
    bought = warehouse.table(
        "select user_id, coupon_id from ml.training_pairs "
        "where cutoff_date = ? and label",
        [candidates.cutoff],
    )
    users, coupons = (bought[name].to_numpy() for name in ("user_id", "coupon_id"))
    is_here = np.isin(users, candidates.user_ids)
    labels = np.zeros(candidates.shape, dtype=bool)
    labels[
        places_of(candidates.user_ids, users[is_here]),
        places_of(candidates.coupon_ids, coupons[is_here]),
    ] = True
    return labels


def stream_candidates(
    warehouse: Warehouse,
    contract: FeatureContract,
    candidates: Candidates,
    users: np.ndarray | None = None,
    batch_rows: int = 250_000,
) -> Iterator[tuple[np.ndarray, np.ndarray, Features]]:
    """Yield the pairs of one cutoff: row in the grid, column in the grid, features.

    Parameters
    ----------
    users
        Only these ``user_id``; by default all. The coupons are always all.
    """
    wanted = candidates.user_ids if users is None else users
    if not candidates.n_pairs or not len(wanted):
        return
    chosen = "" if users is None else f" and {_is_one_of(users)}"
    # what is the same for all coupons or all users is read once, not for every pair
    shared = {
        "user": f"coupon_id = {candidates.coupon_ids[0]}{chosen}",
        "coupon": f"user_id = {wanted[0]}",
    }
    of_level = {
        level: _read_level(warehouse, contract, candidates, level, condition)
        for level, condition in shared.items()
    }
    names = [*contract.of_level("pair"), *contract.scores]
    query = (
        f"select {_list(['user_id', 'coupon_id', *names])} "
        f"from {contract.scoring_mart} where cutoff_date = ?"
    )
    for batch in _stream_by_users(
        warehouse, query, candidates.cutoff, wanted, batch_rows
    ):
        rows, columns = (
            places_of(ids, batch.column(key).to_numpy())
            for ids, key in (
                (candidates.user_ids, "user_id"),
                (candidates.coupon_ids, "coupon_id"),
            )
        )
        features = replace(
            Features.empty(contract, batch.num_rows), users=rows, coupons=columns
        )
        _fill(features, batch, names)
        for level, places in (("user", rows), ("coupon", columns)):
            for column, values in of_level[level].items():
                features.values[:, column] = values[places]
        yield rows, columns, features


def _read_level(
    warehouse: Warehouse,
    contract: FeatureContract,
    candidates: Candidates,
    level: str,
    condition: str,
) -> dict[int, np.ndarray]:
    """Return what the pairs of one coupon tell of users, or of one user of coupons.

    Returns
    -------
    dict of ndarray of float32
        Per column of the features one value for each candidate user or coupon, in the
        grid's order; NaN where the condition leaves it out.
    """
    names = contract.of_level(level)
    ids = {"user": candidates.user_ids, "coupon": candidates.coupon_ids}[level]
    pairs = warehouse.table(
        f"select {_list([f'{level}_id', *names])} from {contract.scoring_mart} "
        f"where cutoff_date = ? and {condition}",
        [candidates.cutoff],
    ).combine_chunks()
    read = Features.empty(contract, pairs.num_rows)
    _fill(read, pairs, names)
    columns = contract.places(names)
    values = np.full((len(columns), len(ids)), np.nan, dtype=np.float32)
    found = places_of(ids, pairs[f"{level}_id"].to_numpy())
    values[:, found] = read.values[:, columns].T
    return dict(zip(columns, values, strict=True))


def read_pairs(
    warehouse: Warehouse,
    contract: FeatureContract,
    cutoff: dt.date,
    pairs: pa.Table,
    batch_rows: int = 250_000,
) -> Iterator[tuple[pa.RecordBatch, Features]]:
    """Yield given pairs (user_id, coupon_id) of one cutoff with their features."""
    query = (
        f"select user_id, coupon_id, {_list(contract.columns)} "
        f"from {contract.scoring_mart} where cutoff_date = ? "
        "and (user_id, coupon_id) in (select (user_id, coupon_id) from chosen_pairs)"
    )
    users = np.unique(pairs["user_id"].to_numpy())
    with warehouse.registered("chosen_pairs", pairs):
        for batch in _stream_by_users(warehouse, query, cutoff, users, batch_rows):
            yield batch.select(["user_id", "coupon_id"]), encode(batch, contract)


def _stream_by_users(
    warehouse: Warehouse,
    query: str,
    cutoff: dt.date,
    users: np.ndarray,
    batch_rows: int,
) -> Iterator[pa.RecordBatch]:
    """Yield what a query of a cutoff's pairs returns of some users, few at a time."""
    users = np.sort(users)
    ends = np.flatnonzero(np.diff(users // USERS_AT_A_TIME)) + 1
    for block in np.split(users, ends) if len(users) else []:
        of_users = _is_one_of(block)
        yield from warehouse.stream(f"{query} and {of_users}", [cutoff], batch_rows)


def read_person(
    warehouse: Warehouse,
    contract: FeatureContract,
    mart: str,
    cutoff: dt.date,
    user_id: int,
    coupon_ids: np.ndarray,
) -> tuple[np.ndarray, Features]:
    """Return one person's candidate coupons, ordered by their hashes, and features.

    Parameters
    ----------
    mart
        ``scoring_pairs`` for a user, ``newcomer_pairs`` for a newcomer.
    coupon_ids
        The cutoff's candidates, see :func:`in_order_of_hashes`.
    """
    # a literal is taken down to the marts before they are joined
    pairs = warehouse.table(
        f"select coupon_id, {_list(contract.columns)} from ml.{mart} "
        f"where cutoff_date = ? and user_id = {int(user_id)}",
        [cutoff],
    ).combine_chunks()
    places = places_of(coupon_ids, pairs["coupon_id"].to_numpy())
    pairs = pairs.take(np.argsort(places))
    features = replace(
        encode(pairs, contract),
        users=np.zeros(pairs.num_rows, np.int32),
        coupons=np.arange(pairs.num_rows, dtype=np.int32),
    )
    return pairs["coupon_id"].to_numpy(), features


def encode(batch: pa.RecordBatch | pa.Table, contract: FeatureContract) -> Features:
    """Turn Arrow columns into a matrix: nulls and unknown categories become NaN."""
    features = Features.empty(contract, batch.num_rows)
    _fill(features, batch, contract.columns)
    return features


def _fill(
    features: Features, batch: pa.RecordBatch | pa.Table, names: Sequence[str]
) -> None:
    """Write some Arrow columns into the matrices."""
    contract = features.contract
    place = {name: i for i, name in enumerate(contract.names)}
    for name in names:
        column = batch.column(name)
        if name in contract.scores:
            into = features.scores[:, contract.scores.index(name)]
        else:
            into = features.values[:, place[name]]
        if name in contract.categories:
            known = pa.array(contract.categories[name], pa.string())
            column = pc.index_in(column, value_set=known)
        into[:] = _to_numpy(pc.cast(column, pa.float32(), safe=False))


def _codes(values: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(values), MISSING_CODE, values).astype(np.int16)


def _is_one_of(users: np.ndarray) -> str:
    """Return the condition that a pair is of these users, as literals.

    The engine takes literals down to the marts before it joins them; a subquery it
    joins last, to the whole grid. Below the sums of likeness it takes the bounds, but
    not the list: of scattered users all between the first and the last are summed up.
    """
    return (
        f"user_id between {users.min()} and {users.max()} "
        f"and user_id in ({', '.join(map(str, users.tolist()))})"
    )


def _marks(values: Sequence) -> str:
    return ", ".join("?" for _ in values) or "null"


def _to_numpy(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    if isinstance(values, pa.ChunkedArray):
        return values.to_numpy()
    return values.to_numpy(zero_copy_only=False)


def _list(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
