"""Metrics against values worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from ml import evaluate, metrics


def labels_of(n_coupons: int, *bought: list[int]) -> np.ndarray:
    """Return labels of users who bought the given columns, one list per user."""
    labels = np.zeros((len(bought), n_coupons), dtype=bool)
    for row, columns in zip(labels, bought, strict=True):
        row[columns] = True
    return labels


def in_order(n_users: int, n_coupons: int) -> np.ndarray:
    """Return rankings in which column 0 is first."""
    return np.tile(np.arange(n_coupons), (n_users, 1))


def test_top_k_gives_ties_to_the_lower_column():
    scores = np.array([[0.5, 0.5, 0.9, 0.5], [0.0, 0.0, 0.0, 0.0]])
    assert metrics.top_k(scores, 3).tolist() == [[2, 0, 1], [0, 1, 2]]


def test_top_k_of_fewer_than_k_coupons_ranks_all():
    scores = np.array([[0.1, 0.3, 0.2]], dtype=np.float32)
    assert metrics.top_k(scores).tolist() == [[1, 2, 0]]


def test_average_precision_by_hand():
    labels = labels_of(
        15,
        [],  # bought nothing: 0 by definition
        [2],  # at place 3: (1/3) / 1
        [0, 3],  # at places 1 and 4: (1/1 + 2/4) / 2
        [11],  # below the first ten: 0
        [9, 12],  # at place 10, the other one missed: (1/10) / 2
    )
    found = metrics.average_precision(in_order(5, 15), labels)
    assert found == pytest.approx([0, 1 / 3, 0.75, 0, 0.05])


def test_average_precision_divides_by_ten_where_more_were_bought():
    # 12 of 15 bought. Places 1 to 10 all hit: 10 / 10. Places 4 to 10 hit:
    # (1/4 + 2/5 + 3/6 + 4/7 + 5/8 + 6/9 + 7/10) / 10 = 3.7130952 / 10
    labels = labels_of(15, list(range(12)), list(range(3, 15)))
    found = metrics.average_precision(in_order(2, 15), labels)
    assert found == pytest.approx([1.0, 0.37130952])


def test_average_precision_with_fewer_than_ten_candidates():
    # places 2 and 4 of four: (1/2 + 2/4) / 2
    labels = labels_of(4, [1, 3])
    assert metrics.average_precision(in_order(1, 4), labels) == pytest.approx([0.5])


def test_average_precision_of_ties_follows_the_column():
    # all scores are equal, so the third column is at place 3
    labels = labels_of(4, [2])
    ranking = metrics.top_k(np.full((1, 4), 0.1))
    assert metrics.average_precision(ranking, labels) == pytest.approx([1 / 3])


def test_average_precision_follows_the_ranking_not_the_columns():
    # best first: columns 3, 1, 0, 2; bought 1 and 2: (1/2 + 2/4) / 2
    ranking = np.array([[3, 1, 0, 2]])
    labels = labels_of(4, [1, 2])
    assert metrics.average_precision(ranking, labels) == pytest.approx([0.5])


def test_recall_by_hand():
    labels = labels_of(15, [], [2], [11], list(range(3, 15)))
    found = metrics.recall(in_order(4, 15), labels)
    # nothing bought: undefined; 7 of the 12 bought are among the first ten
    assert np.isnan(found[0])
    assert found[1:] == pytest.approx([1, 0, 7 / 12])


def test_bootstrap_draws_as_many_users_as_there_are():
    counts = metrics.bootstrap_counts(40, 30, random_state=5)
    assert counts.shape == (30, 40)
    assert (counts.sum(axis=1) == 40).all()
    assert (counts == np.round(counts)).all()
    assert (counts >= 0).all()
    # drawn with replacement: some user twice, some not at all
    assert counts.max() > 1
    assert counts.min() == 0


def test_bootstrap_repeats_with_its_seed_and_differs_with_another():
    first = metrics.bootstrap_counts(40, 30, random_state=5)
    assert np.array_equal(first, metrics.bootstrap_counts(40, 30, random_state=5))
    assert not np.array_equal(first, metrics.bootstrap_counts(40, 30, random_state=6))


def test_ratio_interval_by_hand():
    numerator, denominator = np.array([1.0, 0.0, 1.0]), np.array([1.0, 1.0, 2.0])
    counts = np.array([[3, 0, 0], [0, 3, 0], [0, 0, 3], [1, 1, 1]])
    # the samples' ratios are 3/3, 0/3, 3/6 and 2/4; quartiles of 0, .5, .5, 1 lie a
    # quarter of the way inside: at 0.375 and 0.625
    found = metrics.ratio_interval(numerator, denominator, counts, level=0.5)
    assert found == pytest.approx((0.5, 0.375, 0.625))


def test_ratio_interval_leaves_out_samples_without_a_denominator():
    # the first sample holds only the user who counts for nothing
    counts = np.array([[0, 2], [1, 1]])
    found = metrics.ratio_interval(np.array([0.3, 0.0]), np.array([1.0, 0.0]), counts)
    assert found == pytest.approx((0.3, 0.3, 0.3))


def test_ratio_interval_of_nothing_is_nan():
    found = metrics.ratio_interval(np.zeros(2), np.zeros(2), np.ones((3, 2)))
    assert np.isnan(found).all()


def areas(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return AUC and PR-AUC of a histogram over the users as they are."""
    found = metrics.ScoreHistogram(scores, labels).intervals(np.ones((1, len(scores))))
    return found["auc"][0], found["pr_auc"][0]


def test_auc_and_pr_auc_by_hand():
    scores = np.array([[0.1, 0.2, 0.8, 0.9]], dtype=np.float32)
    labels = labels_of(4, [1, 3])
    # pairs in the right order: 0.2 over 0.1, 0.9 over 0.1 and 0.8: 3 of 4. Going
    # down, recall grows at 0.9 (precision 1/1) and at 0.2 (precision 2/3).
    assert areas(scores, labels) == pytest.approx((0.75, (1 + 2 / 3) / 2))


def test_auc_counts_ties_half():
    scores = np.array([[0.1, 0.1, 0.9]], dtype=np.float32)
    labels = labels_of(3, [1, 2])
    # 0.9 over 0.1 and a tie: 1.5 of 2; precision 1 at 0.9 and 2/3 with the tie
    assert areas(scores, labels) == pytest.approx((0.75, (1 + 2 / 3) / 2))


def test_constant_scores_have_auc_one_half():
    labels = labels_of(5, [0], [2, 3], [])
    auc, pr_auc = areas(np.full((3, 5), 0.25, dtype=np.float32), labels)
    # 3 of 15 pairs were bought: precision is 0.2 wherever the list is cut
    assert (auc, pr_auc) == pytest.approx((0.5, 0.2))


def test_auc_within_user_by_hand():
    scores = np.array(
        [[0.1, 0.2, 0.8, 0.9], [0.5, 0.5, 0.1, 0.0], [0.1] * 4, [0.3] * 4]
    )
    labels = labels_of(4, [1, 3], [0], [], [0, 1, 2, 3])
    # 3 of 4 pairs in the right order; over two of three and tied with the third;
    # nothing bought, and nothing left to compare with
    found = metrics.auc_within_user(scores, labels)
    assert found[:2] == pytest.approx([0.75, 2.5 / 3])
    assert np.isnan(found[2:]).all()
    agreed = [roc_auc_score(labels[i], scores[i]) for i in range(2)]
    assert found[:2] == pytest.approx(agreed)
    assert np.isnan(metrics.auc_within_user(scores[2:], labels[2:])).all()


def test_precision_recall_and_f1_have_intervals_over_users():
    scores = np.array([[0.9, 0.8, 0.1], [0.9, 0.1, 0.1], [0.2, 0.1, 0.1]])
    labels = labels_of(3, [0], [0, 1], [])
    # samples: the first user alone, the second, the third
    counts = np.array([[3, 0, 0], [0, 3, 0], [0, 0, 3]])
    found = {
        name: values
        for name, _, *values in evaluate._confusion_rows(scores, labels, 0.5, counts)
    }
    # named 2 and 1 of which bought 1 and 1; bought 1 and 2; the third has none
    assert found["true_positives"] == [2]
    assert found["false_positives"] == found["false_negatives"] == [1]
    assert found["true_negatives"] == [5]
    spread = [0.025, 0.975]
    assert found["precision"] == pytest.approx([2 / 3, *np.quantile([0.5, 1], spread)])
    assert found["recall"] == pytest.approx([2 / 3, *np.quantile([1, 0.5], spread)])
    assert found["f1"] == pytest.approx([2 / 3, *np.quantile([2 / 3] * 2, spread)])


def test_pairs_that_were_looked_at_before_are_left_out():
    scores = np.array([[0.9, 0.8, 0.1], [0.9, 0.8, 0.1]])
    labels = labels_of(3, [0, 1], [1])
    was_viewed = labels_of(3, [0], [])
    context = evaluate.Context(
        *(3, np.array([0, 2]), {}, np.array([], dtype=object), np.array([])),
        was_viewed,
    )
    counts = np.ones((1, 3))
    ((name, of, value, *_),) = evaluate._unviewed_rows(scores, labels, context, counts)
    # of the first user the second coupon is left, now in first place; the second
    # user's is in second place; of three users the one between them is no candidate
    assert (name, of, value) == ("map_at_10", "not_viewed_before", (1 + 0.5) / 3)
    unseen = replace(context, was_viewed=np.zeros_like(labels))
    assert list(evaluate._unviewed_rows(scores, labels, unseen, counts)) == []


def test_few_distinct_scores_are_kept_apart():
    # three coupons, the same scores for each of 1,000 users, as popularity gives;
    # bought 0, 600 and 400 times. Negatives: 1000, 400 and 600. Below the middle
    # coupon are 1000 + 400/2, below the best 1400 + 600/2:
    # (600 * 1200 + 400 * 1700) / (1000 * 2000) = 0.7. PR-AUC: 400/1000 for recall
    # 0.4, then (400 + 600) / 2000 for recall 0.6.
    scores = np.tile(np.array([0.1, 0.2, 0.3], dtype=np.float32), (1000, 1))
    labels = np.zeros(scores.shape, dtype=bool)
    labels[:600, 1] = True
    labels[:400, 2] = True
    assert areas(scores, labels) == pytest.approx((0.7, 0.4 * 0.4 + 0.6 * 0.5))


def test_areas_agree_with_scikit_learn():
    generator = np.random.default_rng(3)
    labels = generator.random((60, 50)) < 0.05
    scores = generator.normal(size=labels.shape) + 1.5 * labels
    scores = (1 / (1 + np.exp(4 - scores))).astype(np.float32)
    assert len(np.unique(scores)) > 0.99 * scores.size
    auc, pr_auc = areas(scores, labels)
    assert auc == pytest.approx(
        roc_auc_score(labels.ravel(), scores.ravel()), abs=0.001
    )
    assert pr_auc == pytest.approx(
        average_precision_score(labels.ravel(), scores.ravel()), abs=0.01
    )


def test_areas_of_a_bootstrap_sample_are_those_of_the_drawn_users():
    generator = np.random.default_rng(4)
    labels = generator.random((3, 40)) < 0.3
    scores = (generator.random(labels.shape) + 0.3 * labels).astype(np.float32)
    # the only sample draws the second user three times
    found = metrics.ScoreHistogram(scores, labels).intervals(np.array([[0, 3, 0]]))
    _, low, high = found["auc"]
    assert low == high
    assert low == pytest.approx(roc_auc_score(labels[1], scores[1]), abs=0.01)


def test_areas_without_purchases_are_nan():
    histogram = metrics.ScoreHistogram(
        np.array([[0.1, 0.2]], dtype=np.float32), labels_of(2, [])
    )
    # the sample must hold something, or numpy warns of an empty slice
    histogram.positives = np.zeros_like(histogram.positives)
    assert np.isnan(metrics._auc(histogram.positives, histogram.negatives)).all()
    assert np.isnan(metrics._pr_auc(histogram.positives, histogram.negatives)).all()


def test_log_loss_by_hand():
    scores = np.array([[0.8, 0.4], [0.5, 0.1]])
    labels = labels_of(2, [0], [])
    # -ln 0.8 - ln 0.6 and -ln 0.5 - ln 0.9
    assert metrics.log_loss_sums(scores, labels) == pytest.approx(
        [0.22314355 + 0.51082562, 0.69314718 + 0.10536052]
    )


def test_log_loss_of_certain_errors_is_finite():
    # probabilities are kept 1e-7 away from 0 and 1: -ln 1e-7 = 16.1
    scores = np.array([[0.0, 1.0]], dtype=np.float32)
    (loss,) = metrics.log_loss_sums(scores, labels_of(2, [0]))
    assert loss == pytest.approx(2 * 16.118, abs=0.3)


def test_brier_by_hand():
    scores = np.array([[0.8, 0.4], [0.5, 0.1]])
    # 0.2^2 + 0.4^2 and 0.5^2 + 0.1^2
    found = metrics.brier_sums(scores, labels_of(2, [0], []))
    assert found == pytest.approx([0.2, 0.26])


@pytest.mark.parametrize(
    ("probability", "label", "weight", "threshold"),
    [
        # F1 = 2 TP / (named + bought): 2/3, 2/4, 4/5, 4/6
        ([0.9, 0.6, 0.4, 0.2], [1, 0, 1, 0], [1, 1, 1, 1], 0.4),
        # negatives stand for ten: 2/3, 2/13, 4/14, 4/24
        ([0.9, 0.6, 0.4, 0.2], [1, 0, 1, 0], [1, 10, 1, 10], 0.9),
        # the order of the rows does not matter
        ([0.2, 0.4, 0.9, 0.6], [0, 1, 1, 0], [1, 1, 1, 1], 0.4),
        # the tied ones come together: 2/3, then 4/7; parted, they would give 4/4
        ([0.9, 0.5, 0.5, 0.5, 0.5], [1, 1, 0, 0, 0], [1, 1, 1, 1, 1], 0.9),
    ],
)
def test_best_f1_threshold_by_hand(probability, label, weight, threshold):
    found = metrics.best_f1_threshold(
        np.array(probability),
        np.array(label, dtype=bool),
        np.array(weight, dtype=float),
    )
    assert found == threshold


def test_calibration_bins_by_hand():
    # sums along the order are 1, 2, 3, 5, 9, 13 eighths; half of 13 lies within the
    # fifth, so the two bins are 1 1 1 2 and 4 4 eighths
    scores = np.array([[4, 1, 2], [1, 4, 1]], dtype=np.float32) / 8
    labels = np.array([[1, 0, 1], [0, 0, 0]], dtype=bool)
    low, high = metrics.calibration_bins(scores, labels, n_bins=2)
    assert low == pytest.approx((5 / 32, 1 / 4, 4))
    assert high == pytest.approx((1 / 2, 1 / 2, 2))


def test_calibration_bins_hold_every_pair_once_and_about_equal_sums():
    generator = np.random.default_rng(0)
    scores = (generator.random((50, 60)) ** 4).astype(np.float32)
    labels = generator.random(scores.shape) < scores
    bins = metrics.calibration_bins(scores, labels)
    assert len(bins) == 10
    assert sum(n for _, _, n in bins) == scores.size
    assert sum(bought * n for _, bought, n in bins) == pytest.approx(labels.sum())
    sums = np.array([predicted * n for predicted, _, n in bins])
    assert sums == pytest.approx(np.full(10, scores.sum() / 10), rel=0.03)
    means = [predicted for predicted, _, _ in bins]
    assert means == sorted(means)


def test_the_best_k_are_those_of_a_full_stable_sort():
    generator = np.random.default_rng(0)
    for n_coupons in (1, 9, 10, 11, 40):
        # few different values: ties above, at and below the tenth place
        scores = generator.integers(0, 6, (300, n_coupons)).astype(np.float32)
        scores[generator.random(scores.shape) < 0.3] = -np.inf
        expected = np.argsort(-scores, axis=1, kind="stable")[:, :10]
        np.testing.assert_array_equal(metrics.top_k(scores), expected)


def test_points_of_a_curve_by_hand():
    # purchases at 0.9, 0.7, 0.7 and 0.1: quarters of them are found at 0.9, at 0.7
    # (both at once) and at 0.1, where 1, 4 and 6 of the pairs stand at or above
    scores = np.array([[0.9, 0.7, 0.8], [0.7, 0.1, 0.05], [0.3, 0.0, 0.0]])
    labels = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]], dtype=bool)
    rows = list(evaluate._curve_rows(scores, labels))
    assert [value for name, _, value in rows if name == "curve_pairs"] == [1, 4, 6]
    found = [value for name, _, value in rows if name == "curve_purchases"]
    assert found == [1, 3, 4]
    assert [step for _, step, _ in rows[::2]] == ["step_01", "step_02", "step_03"]


def test_a_curve_needs_a_purchase():
    scores = np.array([[0.9, 0.7]])
    assert not list(evaluate._curve_rows(scores, np.zeros((1, 2), dtype=bool)))


def test_a_long_curve_has_twenty_points_and_ends_with_every_purchase():
    generator = np.random.default_rng(0)
    scores = generator.random((60, 80)).astype(np.float32)
    labels = generator.random(scores.shape) < scores / 4
    rows = list(evaluate._curve_rows(scores, labels))
    found = [value for name, _, value in rows if name == "curve_purchases"]
    assert len(found) == 20
    assert found == sorted(found)
    assert found[-1] == labels.sum()
    assert found[9] == pytest.approx(labels.sum() / 2, abs=1)
