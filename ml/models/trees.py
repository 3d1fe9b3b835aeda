"""Gradient-boosted trees (LightGBM), for the probability and for the order."""

from __future__ import annotations

from functools import cached_property

import lightgbm as lgb
import numpy as np
from scipy.sparse import csr_array

from ml.models.ranked import RankedModel
from ml.models.sampling import buyer_weeks, recency_weights
from ml.pairs import Features, TrainingSet

#: Threads are counted here: another number would add up gradients in another order.
N_THREADS = 2


class BoostedTrees(RankedModel):
    """Trees on all features as they are: nulls and categories need no encoding.

    Parameters
    ----------
    n_trees, learning_rate, num_leaves, min_leaf_rows, l2
        As LightGBM's num_iterations, learning_rate, num_leaves, min_data_in_leaf and
        lambda_l2.
    max_bin, cat_smooth
        As LightGBM's parameters of these names.
    feature_share, row_share
        Share of features drawn per tree, and of rows (feature_fraction,
        bagging_fraction).
    half_life_weeks
        A pair counts half as much as one this many weeks later; None: all alike.
    max_rows, calibration_share, fit_probability, random_state
        See :class:`ml.models.ranked.RankedModel`.
    """

    #: LightGBM's objective.
    objective: str

    def __init__(
        self,
        n_trees: int = 200,
        learning_rate: float = 0.05,
        num_leaves: int = 15,
        min_leaf_rows: int = 200,
        l2: float = 20.0,
        feature_share: float = 0.3,
        row_share: float = 0.7,
        max_bin: int = 63,
        cat_smooth: float = 50.0,
        half_life_weeks: float | None = None,
        max_rows: int = 1_500_000,
        calibration_share: float = 0.1,
        fit_probability: bool = True,
        random_state: int = 0,
    ) -> None:
        self.n_trees = n_trees
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_leaf_rows = min_leaf_rows
        self.l2 = l2
        self.feature_share = feature_share
        self.row_share = row_share
        self.max_bin = max_bin
        self.cat_smooth = cat_smooth
        self.half_life_weeks = half_life_weeks
        self.max_rows = max_rows
        self.calibration_share = calibration_share
        self.fit_probability = fit_probability
        self.random_state = random_state

    def fit_ranking(
        self, training: TrainingSet, rows: np.ndarray, weight: np.ndarray
    ) -> None:
        """Grow the trees; pairs of a week's buyers are drawn alike and count alike."""
        n_numeric = len(self.contract_.numeric)
        data = _DatasetOfRows(
            _Rows(training.features.values, rows),
            training.label[rows],
            weight=self.weights(training.cutoff[rows], weight),
            group=self.groups(training, rows),
            categorical_feature=[
                n_numeric + column for column in range(len(self.contract_.categories))
            ],
            params={"max_bin": self.max_bin, "verbose": -1, "num_threads": N_THREADS},
        )
        self.__dict__.pop("_paths", None)
        self.booster_ = lgb.train(
            {
                "objective": self.objective,
                "learning_rate": self.learning_rate,
                "num_leaves": self.num_leaves,
                "min_data_in_leaf": self.min_leaf_rows,
                "lambda_l2": self.l2,
                "feature_fraction": self.feature_share,
                "bagging_fraction": self.row_share,
                "bagging_freq": 1,
                "cat_smooth": self.cat_smooth,
                "seed": self.random_state,
                "deterministic": True,
                "force_row_wise": True,
                "num_threads": N_THREADS,
                "verbose": -1,
            },
            data,
            num_boost_round=self.n_trees,
        )

    def weights(self, cutoff: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
        """Return how much each pair counts, None for alike."""
        if self.half_life_weeks is None:
            return None
        return recency_weights(cutoff, self.half_life_weeks)

    def groups(self, training: TrainingSet, rows: np.ndarray) -> np.ndarray | None:
        """Return the sizes of the lists that are ranked, if the objective has lists."""
        return None

    def ranking(self, features: Features) -> np.ndarray:
        """Return the sum over the trees, shape (n,).

        Where the coupons are known, one follows the other: its pairs go the same way at
        every split by a coupon's feature, which the processor then foresees. With the
        ordering it takes a sixth less time.
        """
        if features.coupons is None:
            return self._predict(features.values)
        order = np.argsort(features.coupons, kind="stable")
        sums = np.empty(len(features))
        sums[order] = self._predict(features.values[order])
        return sums

    def _predict(self, values: np.ndarray) -> np.ndarray:
        return self.booster_.predict(values, raw_score=True, num_threads=N_THREADS)

    def ranking_contributions(self, features: Features) -> np.ndarray:
        """Return what each feature's splits add on the way from root to leaf.

        A split adds the difference between the node it leads to and the node it stands
        in, so that the sum over the features is the score minus that of the roots, the
        average pair. (Path attribution, Saabas 2014; SHAP values take the mean over all
        orders of the features and need a hundred times as long.)
        """
        leaves = self.booster_.predict(
            features.values, pred_leaf=True, num_threads=N_THREADS
        )
        starts, by_leaf = self._paths
        n_rows, n_trees = leaves.shape
        chosen = csr_array(
            (
                np.ones(leaves.size, dtype=np.float32),
                (leaves + starts[:-1]).ravel(),
                np.arange(0, leaves.size + 1, n_trees),
            ),
            shape=(n_rows, starts[-1]),
        )
        return (chosen @ by_leaf).toarray().astype(np.float32)

    @cached_property
    def _paths(self) -> tuple[np.ndarray, csr_array]:
        """Per tree the first of its leaves; per leaf what each feature adds."""
        starts, rows, columns, values = [0], [], [], []

        def walk(node: dict, path: list[tuple[int, float]]) -> None:
            if "leaf_index" in node or "leaf_value" in node:
                leaf = starts[-1] + node.get("leaf_index", 0)
                for feature, value in path:
                    rows.append(leaf)
                    columns.append(feature)
                    values.append(value)
                return
            for side in ("left_child", "right_child"):
                child = node[side]
                reached = child.get("internal_value", child.get("leaf_value"))
                step = (node["split_feature"], reached - node["internal_value"])
                walk(child, [*path, step])

        for tree in self.booster_.dump_model()["tree_info"]:
            walk(tree["tree_structure"], [])
            starts.append(starts[-1] + max(tree["num_leaves"], 1))
        by_leaf = csr_array(
            (np.array(values, dtype=np.float32), (rows, columns)),
            shape=(starts[-1], len(self.contract_.names)),
        )
        return np.array(starts), by_leaf

    def coefficients(self) -> list[tuple[str, str, float]]:
        """Return the share of the total gain that each feature brought."""
        gain = self.booster_.feature_importance("gain")
        total = max(float(gain.sum()), np.finfo(float).tiny)
        return [
            (name, "all", float(value) / total)
            for name, value in zip(self.contract_.names, gain, strict=True)
        ]

    def parameters(self) -> dict:
        """Return the hyper-parameters."""
        return {
            "n_trees": self.n_trees,
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_leaf_rows": self.min_leaf_rows,
            "l2": self.l2,
            "feature_share": self.feature_share,
            "row_share": self.row_share,
            "max_bin": self.max_bin,
            "cat_smooth": self.cat_smooth,
            "half_life_weeks": self.half_life_weeks,
            "max_rows": self.max_rows,
            "calibration_share": self.calibration_share,
            "fit_probability": self.fit_probability,
            "random_state": self.random_state,
        }

    def ranking_state(self) -> dict:
        """Return the trees as LightGBM's text."""
        return {"booster": self.booster_.model_to_string()}

    def restore_ranking(self, state: dict) -> None:
        """Take over the trees."""
        try:
            self.booster_ = lgb.Booster(model_str=state["booster"])
        except lgb.basic.LightGBMError as error:
            raise ValueError(f"no trees can be read: {error}") from error


class _Rows(lgb.Sequence):
    """Rows of a matrix as LightGBM asks for them, a few at a time: none has a copy."""

    batch_size = 4096

    def __init__(self, values: np.ndarray, rows: np.ndarray) -> None:
        self.values = values
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, places: int | slice) -> np.ndarray:
        # LightGBM finds the bounds of its bins in float64 only
        return self.values[self.rows[places]].astype(np.float64)


class _DatasetOfRows(lgb.Dataset):
    """Data that LightGBM takes row by row as it would take a matrix of these rows.

    Of the parameters that it is given it hands on only some where rows are asked for;
    without the others it would look for bins in other rows, and leave out features by
    another least number of rows.
    """

    def get_params(self) -> dict:
        """Return all parameters."""
        return self.params


class BinaryTrees(BoostedTrees):
    """Boosted trees that learn whether a pair is bought (log loss)."""

    name = "lightgbm_binary"
    objective = "binary"


class RankingTrees(BoostedTrees):
    """Boosted trees that learn the order of a buyer's coupons.

    Each buyer's pairs of a week are one list. The objective is either LambdaMART
    (``lambdarank``: gains in NDCG of swapping two coupons) or its listwise relative
    (``rank_xendcg``: cross-entropy of the list).

    Parameters
    ----------
    objective
        ``lambdarank`` or ``rank_xendcg``.
    settings
        As of :class:`BoostedTrees`.
    """

    name = "lightgbm_ranking"

    def __init__(self, objective: str = "lambdarank", **settings) -> None:
        super().__init__(**settings)
        self.objective = objective

    def groups(self, training: TrainingSet, rows: np.ndarray) -> np.ndarray:
        """Return the number of pairs of each buyer's week."""
        number, _ = buyer_weeks(training)
        sizes = np.bincount(number[rows])
        return sizes[sizes > 0]

    def parameters(self) -> dict:
        """Return the hyper-parameters."""
        return {"objective": self.objective} | super().parameters()
