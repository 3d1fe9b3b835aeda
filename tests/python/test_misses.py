"""Misses: which pairs of a grid count as wrong."""

from __future__ import annotations

import datetime as dt

import numpy as np

from ml.misses import find_misses
from ml.pairs import Candidates

N_COUPONS = 12


def misses_of(ranks: list[list[int]], bought: list[tuple[int, int]]) -> list[tuple]:
    """Return user, coupon, kind and rank of what is missed.

    Users are 10, 11, ... and coupons 100, 101, ...
    """
    given = np.array(ranks, dtype=np.int32)
    labels = np.zeros(given.shape, dtype=bool)
    for row, column in bought:
        labels[row, column] = True
    candidates = Candidates(
        dt.date(2012, 6, 10),
        np.arange(10, 10 + len(given), dtype=np.int32),
        np.arange(100, 100 + given.shape[1], dtype=np.int32),
    )
    scores = (1 / given).astype(np.float32)
    found = find_misses(candidates, scores, given, labels).to_pylist()
    assert all(row["score"] == np.float32(1 / row["rank"]) for row in found)
    return [
        (row["user_id"], row["coupon_id"], row["kind"], row["rank"]) for row in found
    ]


IN_ORDER = list(range(1, N_COUPONS + 1))


def test_a_purchase_is_missed_from_rank_eleven_on():
    assert misses_of([IN_ORDER], [(0, 0), (0, 9)]) == []
    assert misses_of([IN_ORDER], [(0, 0), (0, 10), (0, 11)]) == [
        (10, 110, "bought_ranked_below_ten", 11),
        (10, 111, "bought_ranked_below_ten", 12),
    ]


def test_a_buyers_first_rank_is_wrong_if_it_was_not_bought():
    assert misses_of([IN_ORDER], [(0, 4)]) == [(10, 100, "ranked_first_not_bought", 1)]


def test_users_who_bought_nothing_are_left_out():
    backwards = IN_ORDER[::-1]
    assert misses_of([IN_ORDER, backwards], [(1, 0)]) == [
        (11, 100, "bought_ranked_below_ten", 12),
        (11, 111, "ranked_first_not_bought", 1),
    ]


def test_a_perfect_list_has_no_misses():
    assert misses_of([IN_ORDER], [(0, 0), (0, 1)]) == []
