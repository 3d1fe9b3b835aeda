"""How well a genre is foreseen, with intervals of a bootstrap over users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml import metrics
from ml.evaluate import Metric

TOP = 3
#: A genre that was never seen bought has no probability; its loss stays finite.
LEAST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class Foreseen:
    """Probabilities of every model for the same examples.

    Attributes
    ----------
    genres
        All genres in alphabetical order, the columns.
    label : ndarray of intp, shape (n,)
        Column of the genre that was bought.
    user_id : ndarray of int, shape (n,)
    probability : dict of ndarray of float64, shape (n, number of genres)
    """

    genres: Sequence[str]
    label: np.ndarray
    user_id: np.ndarray
    probability: Mapping[str, np.ndarray]


def measure(foreseen: Foreseen, reference: str, random_state: int = 0) -> list[Metric]:
    """Return accuracy, top-3 accuracy, log loss, macro F1 and confusion of each model.

    Bootstrap samples draw users with all of their weeks, the same for every model.

    Parameters
    ----------
    reference
        The model that is subtracted from the others.
    """
    users, user = np.unique(foreseen.user_id, return_inverse=True)
    counts = metrics.bootstrap_counts(len(users), metrics.N_BOOTSTRAP, random_state)
    n_examples = np.bincount(user).astype(float)
    per_user = {
        name: {
            metric: np.bincount(user, values, minlength=len(users))
            for metric, values in per_example(probability, foreseen.label).items()
        }
        for name, probability in foreseen.probability.items()
    }
    found = []
    for name, probability in foreseen.probability.items():
        for metric, sums in per_user[name].items():
            found.append(
                Metric(
                    *(name, metric, "all"),
                    *metrics.ratio_interval(sums, n_examples, counts),
                )
            )
            if name != reference:
                gain = sums - per_user[reference][metric]
                found.append(
                    Metric(
                        *(name, f"{metric}_difference", f"to_{reference}"),
                        *metrics.ratio_interval(gain, n_examples, counts),
                    )
                )
        named = probability.argmax(axis=1)
        n_genres = len(foreseen.genres)
        found.append(
            Metric(
                *(name, "macro_f1", "all"),
                *macro_f1(foreseen.label, named, user, counts, n_genres),
            )
        )
        confused = confusion(foreseen.label, named, n_genres)
        found += [
            Metric(name, "confusion", f"{bought}_as_{said}", float(confused[i, j]))
            for i, bought in enumerate(foreseen.genres)
            for j, said in enumerate(foreseen.genres)
            if confused[i, j]
        ]
    return found


def per_example(probability: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """Return for each example whether it was right, among the first three, its loss."""
    ranking = np.argsort(-probability, axis=1, kind="stable")
    of_label = probability[np.arange(len(label)), label]
    return {
        "accuracy": (ranking[:, 0] == label).astype(float),
        f"top_{TOP}_accuracy": (ranking[:, :TOP] == label[:, None]).any(axis=1) * 1.0,
        "log_loss": -np.log(np.maximum(of_label, LEAST_PROBABILITY)),
    }


def confusion(label: np.ndarray, named: np.ndarray, n_genres: int) -> np.ndarray:
    """Return how often each genre (row) was taken for each (column)."""
    cells = np.bincount(label * n_genres + named, minlength=n_genres**2)
    return cells.reshape(n_genres, n_genres)


def macro_f1(
    label: np.ndarray,
    named: np.ndarray,
    user: np.ndarray,
    counts: np.ndarray,
    n_genres: int,
) -> tuple[float, float, float]:
    """Return the mean F1 over the genres bought or named, with its interval.

    F1 of a genre is twice its hits over the sum of how often it was bought and how
    often it was named; a genre that is never named rightly has 0.

    Parameters
    ----------
    user : ndarray of intp, shape (n,)
        Place of each example's user.
    counts : ndarray, shape (n_samples, n_users)
        From :func:`ml.metrics.bootstrap_counts`.
    """
    shape = (counts.shape[1], n_genres)

    def per_user(genre: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        cells = np.bincount(
            (user * n_genres + genre)[chosen], minlength=shape[0] * n_genres
        )
        return cells.reshape(shape).astype(np.float32)

    everything = np.ones(len(label), dtype=bool)
    hits = per_user(label, label == named)
    size = per_user(label, everything) + per_user(named, everything)
    occurs = size.sum(axis=0) > 0
    everyone = np.ones((1, shape[0]), dtype=np.float32)

    def mean_f1(of_users: np.ndarray) -> np.ndarray:
        below = of_users @ size[:, occurs]
        f1 = np.divide(
            2 * (of_users @ hits[:, occurs]),
            below,
            out=np.zeros_like(below),
            where=below > 0,
        )
        return f1.mean(axis=1, dtype=np.float64)

    low, high = metrics.percentile_interval(mean_f1(counts))
    return float(mean_f1(everyone)[0]), low, high
