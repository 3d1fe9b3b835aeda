"""Who comes in a week, and how much each user would buy and look at then."""

from __future__ import annotations

import numpy as np

from ml.sample_data import calendar
from ml.sample_data.activity import presence_by_week, weights_by_week
from ml.sample_data.context import Context
from ml.sample_data.first_purchases import LOG_END
from ml.sample_data.preferences import TasteHistory

ACTIVE_SHARE = 0.347
LEAST_CHANCE = 0.02


class Turnout:
    """Rates of buying and looking by user and week.

    Parameters
    ----------
    context
        The world.
    wanted
        Expected purchases per user over the year, beyond the first.
    weekly_pairs
        Expected purchases of all users beyond the first, by week.
    tastes
        For the factor that turns relative weights into the wanted totals.

    Attributes
    ----------
    buying, viewing
        Relative rates, shape (users, 53).
    """

    def __init__(
        self,
        context: Context,
        wanted: np.ndarray,
        weekly_pairs: np.ndarray,
        tastes: TasteHistory,
    ) -> None:
        users = context.users
        presence = presence_by_week(users)
        viewing = presence * users.viewing[:, None].astype(np.float32)
        weights = weights_by_week(presence, wanted, weekly_pairs)
        # what is planned knows nothing of a change that comes
        self._planned = weights * tastes.early.level[:, None].astype(np.float32)
        self.buying = self._planned.copy()
        late = slice(tastes.change_week, None)
        level = tastes.late.level[:, None].astype(np.float32)
        self.buying[:, late] = weights[:, late] * level
        pull = self._planned.sum(axis=0) / np.maximum(presence.sum(axis=0), 1e-9)
        viewing *= (pull / pull.mean()).astype(np.float32)[None, :]
        viewing[users.never_views] = 0
        curious = users.is_late & ~users.is_idle & (users.registered < LOG_END)
        week = np.arange(calendar.N_WEEKS)
        mean = viewing[viewing > 0].mean() if (viewing > 0).any() else 1.0
        viewing[curious] = (
            0.5 * mean * (week[None, :] >= users.registered_week[curious][:, None])
        )
        self.viewing = viewing.astype(np.float32)
        self._pace = (self.viewing / mean) ** 0.6
        probe = self._pace[:, calendar.TEST_WEEK - 2]
        self._pace_level = _pace_level(
            probe[users.registered_week < calendar.TEST_WEEK - 2]
        )

    def active(
        self, rng: np.random.Generator, week: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw the active users of a week; return them and their chances to be so."""
        chance = 1 - np.exp(-self._pace[:, week] * self._pace_level)
        buys = self.buying[:, week] > 0
        chance = np.where(buys, np.maximum(chance, LEAST_CHANCE), chance)
        active = np.flatnonzero(rng.random(len(chance)) < chance)
        return active, chance[active]

    def expected_purchases(self, wanted: np.ndarray) -> np.ndarray:
        """Return expected purchases beyond the first, shape (users, 52)."""
        by_week = self._planned[:, : calendar.N_TRAIN_WEEKS]
        scale = wanted / np.maximum(by_week.sum(axis=1), 1e-9)
        return by_week * scale[:, None]


def _pace_level(pace: np.ndarray) -> float:
    """Level at which the wanted share of users is active in a week."""
    low, high = 0.0, 50.0
    for _ in range(40):
        middle = (low + high) / 2
        if len(pace) and (1 - np.exp(-middle * pace)).mean() < ACTIVE_SHARE:
            low = middle
        else:
            high = middle
    return (low + high) / 2
