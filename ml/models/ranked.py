"""What models share that first rank a buyer's coupons, then tell the probability."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from ml.models.base import PurchaseModel
from ml.models.curve import ProbabilityCurve
from ml.models.sampling import buyer_weeks, held_out, thin_negatives
from ml.pairs import FeatureContract, Features, TrainingSet
from ml.process_memory import give_back
from ml.warehouse import WarehouseError


class RankedModel(PurchaseModel):
    """A ranking learned from buyers, and a curve that makes it a probability.

    The ranking sees only users who bought something in the week, so that it learns
    which coupon and not whether any. The curve sees all users. A flexible ranking looks
    surer on pairs that it has learned from than on others, so part of the buyers can be
    kept from it, for the curve alone.

    Parameters
    ----------
    max_rows
        Upper bound on training pairs of each of the two fits; beyond it negatives are
        drawn at random and weigh accordingly more.
    calibration_share
        Share of the buyers' weeks that only the curve sees; with 0 it sees those that
        the ranking learned from.
    fit_probability
        Whether to fit the curve. Without it the order within a user is the same, which
        is all that a search for the best ranking needs.
    random_state
        Seed of the draws.
    """

    max_rows: int
    calibration_share: float
    fit_probability: bool
    random_state: int

    @abstractmethod
    def fit_ranking(
        self, training: TrainingSet, rows: np.ndarray, weight: np.ndarray
    ) -> None:
        """Learn to rank from pairs of users who bought something in the week.

        Parameters
        ----------
        rows, weight
            Places of these pairs and what each counts, as of
            :func:`ml.models.sampling.thin_negatives`. They may be most of all pairs: a
            model that can do without a copy of their features leaves room for others.
        """

    @abstractmethod
    def ranking(self, features: Features) -> np.ndarray:
        """Return the ranking score, in log-odds or like them, shape (n,)."""

    @abstractmethod
    def ranking_contributions(self, features: Features) -> np.ndarray:
        """Return what each feature adds to the score, shape (n, n_features)."""

    @abstractmethod
    def ranking_state(self) -> dict:
        """Return what ``fit_ranking`` learned as plain JSON values."""

    @abstractmethod
    def restore_ranking(self, state: dict) -> None:
        """Take over what :meth:`ranking_state` returned; the contract is there."""

    def fit(self, training: TrainingSet) -> RankedModel:
        """Fit ranking and curve; rows must come in a fixed order to repeat a fit."""
        self.contract_ = training.features.contract
        number, has_bought = buyer_weeks(training)
        kept_back = np.zeros(len(training), dtype=bool)
        if self.calibration_share > 0:
            drawn = held_out(
                number, has_bought, self.calibration_share, self.random_state
            )
            # too little to judge by: the curve sees what the ranking saw
            if (drawn & training.label).any() and (
                has_bought & ~drawn & training.label
            ).any():
                kept_back = drawn
        is_used = has_bought & ~kept_back
        if len(np.unique(training.label[is_used])) < 2:
            raise WarehouseError(
                f"{self.name} has nothing to learn from: among the training pairs of "
                "users who bought there must be bought and other ones. Use more weeks "
                "or users."
            )
        self.fit_ranking(
            training,
            *thin_negatives(training, is_used, self.max_rows, self.random_state),
        )
        # what is fitted next needs the room
        give_back()
        self.curve_: ProbabilityCurve | None = None
        if self.fit_probability:
            self.curve_ = self._fit_curve(training, has_bought, kept_back)
            give_back()
        return self

    def predict(self, features: Features) -> np.ndarray:
        """Return purchase probabilities, float32, shape (n,)."""
        self.check_contract(features)
        score = self.ranking(features)
        if self.curve_ is None:
            return score.astype(np.float32)
        return self.curve_.predict(features, score)

    def contributions(self, features: Features) -> np.ndarray:
        """Return log-odds that each feature adds against the average training pair."""
        self.check_contract(features)
        of_score = self.ranking_contributions(features)
        if self.curve_ is None:
            return of_score
        return self.curve_.contributions(features, of_score)

    def state(self) -> dict:
        """Return what ``fit`` learned as plain JSON values."""
        return {
            "contract": self.contract_.to_dict(),
            "ranking": self.ranking_state(),
            "curve": self.curve_.state() if self.curve_ else None,
        }

    def restore(self, state: dict) -> RankedModel:
        """Take over a saved state."""
        self.contract_ = FeatureContract.from_dict(state["contract"])
        self.restore_ranking(state["ranking"])
        self.curve_ = None
        if state["curve"] is not None:
            self.curve_ = ProbabilityCurve().restore(state["curve"], self.contract_)
        return self

    def _fit_curve(
        self, training: TrainingSet, has_bought: np.ndarray, kept_back: np.ndarray
    ) -> ProbabilityCurve:
        is_used = np.ones(len(training), dtype=bool)
        share = 1.0
        if kept_back.any():
            is_used = ~has_bought | kept_back
            # the pairs kept back stand for those of all buyers
            share = float(
                training.weight[kept_back].sum() / training.weight[has_bought].sum()
            )
        rows, weight = thin_negatives(
            training, is_used, self.max_rows, self.random_state + 1
        )
        weight = np.where(has_bought[rows], weight / share, weight)
        score = self._ranking_in_chunks(training.features, rows)
        return ProbabilityCurve().fit(
            training.features, score, training.label[rows], weight, rows
        )

    def _ranking_in_chunks(self, features: Features, rows: np.ndarray) -> np.ndarray:
        """Return the ranking score of many rows in bounded memory."""
        chunk_rows = 100_000
        return np.concatenate(
            [
                self.ranking(features.take(rows[start : start + chunk_rows]))
                for start in range(0, len(rows), chunk_rows)
            ]
        )
