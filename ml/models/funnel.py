"""The way to a purchase in two steps: looking at the coupon, buying what is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.special import log_expit

from ml.models.base import rescaled
from ml.models.ranked import RankedModel
from ml.models.trees import BinaryTrees
from ml.pairs import Features, TrainingSet
from ml.warehouse import WarehouseError


class Funnel(RankedModel):
    """P(the user looks at the coupon) times P(buys it, having looked at it).

    Both are boosted trees on all features; the second learns from the pairs that were
    looked at alone. Many more pairs are looked at than bought, so the first has more to
    learn from than a model of purchases. The product is the ranking.

    Parameters
    ----------
    view, purchase
        Settings of the trees of each step, as of
        :class:`ml.models.trees.BoostedTrees`; by default its defaults.
    max_rows, calibration_share, fit_probability, random_state
        See :class:`ml.models.ranked.RankedModel`.
    """

    name = "funnel"
    needs_views = True

    def __init__(
        self,
        view: Mapping | None = None,
        purchase: Mapping | None = None,
        max_rows: int = 1_500_000,
        calibration_share: float = 0.1,
        fit_probability: bool = True,
        random_state: int = 0,
    ) -> None:
        self.view = dict(view or {})
        self.purchase = dict(purchase or {})
        self.max_rows = max_rows
        self.calibration_share = calibration_share
        self.fit_probability = fit_probability
        self.random_state = random_state

    def fit(self, training: TrainingSet) -> Funnel:
        """Fit both steps and the curve.

        Raises
        ------
        WarehouseError
            The data have no visit log, or nothing to learn one of the steps from.
        """
        if training.viewed is None:
            raise WarehouseError(
                f"{self.name} learns from page views, and the data have no visit log: "
                "add coupon_visit_train.csv to PONPARE_DATA_DIR and run `dbt build`, "
                "or choose other models."
            )
        super().fit(training)
        return self

    def fit_ranking(
        self, training: TrainingSet, rows: np.ndarray, weight: np.ndarray
    ) -> None:
        """Fit what is looked at, then what is bought of it."""
        was_seen = training.viewed[rows]
        if was_seen.all() or training.label[rows[was_seen]].all():
            raise WarehouseError(
                f"{self.name} has nothing to learn from: of the training pairs of "
                "users who bought, some must not be looked at, and some looked at and "
                "not bought. Use more weeks or users."
            )
        self.steps_ = self._unfitted()
        view, purchase = self.steps_
        view.fit_ranking(replace(training, label=training.viewed), rows, weight)
        purchase.fit_ranking(training, rows[was_seen], weight[was_seen])

    def ranking(self, features: Features) -> np.ndarray:
        """Return the logarithm of the product, shape (n,)."""
        return sum(log_expit(step.ranking(features)) for step in self.steps_)

    def ranking_contributions(self, features: Features) -> np.ndarray:
        """Return each step's contributions, as far as they change its logarithm.

        A contribution in log-odds is passed on by the rise of log P over that of the
        log-odds between the average pair and this one (DeepLIFT's rescale rule), so
        that the sum over the features is the difference in log P.
        """
        total = 0.0
        for step in self.steps_:
            of_odds = step.ranking_contributions(features)
            end = step.ranking(features)
            rise = of_odds.sum(axis=1, dtype=np.float64)
            start = end - rise
            passed_on = rescaled(
                log_expit(end) - log_expit(start), rise, 1 / (1 + np.exp(end))
            )
            total = total + of_odds * passed_on[:, None].astype(np.float32)
        return total

    def coefficients(self) -> list[tuple[str, str, float]]:
        """Return the share of the gain that each feature brought to each step."""
        return [
            (f"{label}: {feature}", genre, value)
            for label, step in zip(("view", "purchase"), self.steps_, strict=True)
            for feature, genre, value in step.coefficients()
        ]

    def parameters(self) -> dict:
        """Return the hyper-parameters."""
        return {
            "view": self.view,
            "purchase": self.purchase,
            "max_rows": self.max_rows,
            "calibration_share": self.calibration_share,
            "fit_probability": self.fit_probability,
            "random_state": self.random_state,
        }

    def ranking_state(self) -> dict:
        """Return the trees of both steps."""
        return {"steps": [step.ranking_state() for step in self.steps_]}

    def restore_ranking(self, state: dict) -> None:
        """Take over the trees of both steps."""
        self.steps_ = self._unfitted()
        for step, saved in zip(self.steps_, state["steps"], strict=True):
            step.restore_ranking(saved)

    def _unfitted(self) -> list[_WeightedTrees]:
        steps = [
            _WeightedTrees(**({"random_state": self.random_state} | settings))
            for settings in (self.view, self.purchase)
        ]
        for step in steps:
            step.contract_ = self.contract_
        return steps


class _WeightedTrees(BinaryTrees):
    """Trees that count a pair by its weight: a bought pair is not drawn, others are."""

    def weights(self, cutoff: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the weights, 1 on average as the penalty expects."""
        by_week = super().weights(cutoff, weight)
        if by_week is not None:
            weight = weight * by_week
        return weight / weight.mean()
