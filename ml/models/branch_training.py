"""Fit the weights of a two-branch network with PyTorch, the one file that needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

#: The matrices are small: more threads gain little and would add up in another order.
N_THREADS = 1
#: Standard deviation of the numbers that a category's vector starts with.
VECTOR_START = 0.5
#: What the last layer of a tower starts with is made smaller by this factor, so that
#: the product of two random vectors does not outshout what is learned first.
TOWER_START = 0.3

#: Layers of a perceptron, first to last: weights (n_in, n_out) and bias (n_out,).
Layers = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Branch:
    """The inputs of one branch and the units of its layers.

    Attributes
    ----------
    columns : ndarray of intp
        Columns of the encoded features: numbers and marks of nulls, then indicators.
    n_categories
        Number of indicators of each categorical feature, in the order of the columns.
    n_more
        Further inputs that come from other branches.
    units
        Units of each layer, the output last.
    """

    columns: np.ndarray
    n_categories: tuple[int, ...]
    n_more: int
    units: tuple[int, ...]


@dataclass(frozen=True)
class Steps:
    """How the weights are sought: see :class:`ml.models.two_branch.TwoBranchNetwork`.

    Attributes
    ----------
    lists_per_step
        Buyers' weeks whose pairs make one step.
    """

    loss: str
    n_vector: int
    decay: float
    learning_rate: float
    lists_per_step: int
    n_epochs: int


class _Perceptron:
    """Rectified hidden layers and a linear output; categories enter as vectors.

    An indicator times its row of the first weights is the same as looking up the
    category's vector and multiplying that: the rows are vectors times weights.
    """

    def __init__(
        self, branch: Branch, n_vector: int, generator: np.random.Generator
    ) -> None:
        n_vectors = [min(n_vector, n) for n in branch.n_categories]
        n_dense = len(branch.columns) - sum(branch.n_categories)
        sizes = (n_dense + branch.n_more + sum(n_vectors), *branch.units)
        self.columns = torch.from_numpy(branch.columns)
        self.n_dense, self.n_vectors = n_dense, n_vectors
        self.vectors = [
            _parameter(generator.normal(0.0, VECTOR_START, shape))
            for shape in zip(branch.n_categories, n_vectors, strict=True)
        ]
        self.weights = [
            _parameter(generator.normal(0.0, np.sqrt(2.0 / max(n_in, 1)), (n_in, n)))
            for n_in, n in pairwise(sizes)
        ]
        self.biases = [_parameter(np.zeros(n)) for n in branch.units]

    def first(self) -> Tensor:
        """Return the weights of the first layer by column, then by further input."""
        dense, *of_vectors = torch.split(
            self.weights[0],
            [
                self.n_dense,
                *self.n_vectors,
                len(self.weights[0]) - self.n_dense - sum(self.n_vectors),
            ],
        )
        more = of_vectors.pop()
        by_category = [v @ w for v, w in zip(self.vectors, of_vectors, strict=True)]
        return torch.cat([dense, *by_category, more])

    def __call__(self, inputs: Tensor, *more: Tensor) -> Tensor:
        values = torch.cat([inputs[:, self.columns], *more], dim=1)
        for number, (weights, bias) in enumerate(
            zip([self.first(), *self.weights[1:]], self.biases, strict=True)
        ):
            values = torch.relu(values) if number else values
            values = values @ weights + bias
        return values

    def layers(self) -> Layers:
        """Return the weights as float64 arrays."""
        with torch.no_grad():
            weights = [self.first(), *self.weights[1:]]
        return [
            (w.detach().numpy().astype(np.float64), b.detach().numpy().astype(float))
            for w, b in zip(weights, self.biases, strict=True)
        ]


def fit_branches(
    inputs: np.ndarray,
    label: np.ndarray,
    lists: np.ndarray,
    branches: Mapping[str, Branch],
    steps: Steps,
    random_state: int,
) -> dict[str, Layers]:
    """Fit the towers ``user`` and ``coupon`` and the perceptron ``pair``.

    Parameters
    ----------
    inputs : ndarray of float32, shape (n, number of columns)
    label : ndarray of bool, shape (n,)
    lists : ndarray of intp, shape (n,)
        Number of each pair's list, ascending; every list holds a bought pair.
    """
    with _threads(N_THREADS):
        generator = np.random.default_rng(random_state)
        parts = {
            name: _Perceptron(branch, steps.n_vector, generator)
            for name, branch in branches.items()
        }
        with torch.no_grad():
            for name in ("user", "coupon"):
                parts[name].weights[-1] *= TOWER_START
            parts["pair"].biases[-1] += float(np.log(label.mean()))
        _descend(parts, inputs, label, lists, steps, generator)
        return {name: part.layers() for name, part in parts.items()}


def score(parts: Mapping[str, _Perceptron], inputs: Tensor) -> Tensor:
    """Return the log-odds, shape (n,)."""
    user, coupon = parts["user"](inputs), parts["coupon"](inputs)
    of_pair = parts["pair"](inputs, user, coupon)[:, 0]
    return of_pair + (user * coupon).sum(dim=1)


def _descend(
    parts: Mapping[str, _Perceptron],
    inputs: np.ndarray,
    label: np.ndarray,
    lists: np.ndarray,
    steps: Steps,
    generator: np.random.Generator,
) -> None:
    """Take the steps of AdamW; biases are not made smaller."""
    optimizer = torch.optim.AdamW(
        [
            {
                "params": [p for part in parts.values() for p in part.weights]
                + [p for part in parts.values() for p in part.vectors],
                "weight_decay": steps.decay,
            },
            {
                "params": [p for part in parts.values() for p in part.biases],
                "weight_decay": 0.0,
            },
        ],
        lr=steps.learning_rate,
    )
    bounds = np.flatnonzero(np.diff(lists, prepend=-1, append=-1))
    starts, ends = bounds[:-1], bounds[1:]
    n_steps = -(-len(starts) // steps.lists_per_step) * steps.n_epochs
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, n_steps)
    for _ in range(steps.n_epochs):
        order = generator.permutation(len(starts))
        for first in range(0, len(order), steps.lists_per_step):
            chosen = order[first : first + steps.lists_per_step]
            rows = [np.arange(starts[i], ends[i]) for i in chosen]
            taken = np.concatenate(rows)
            scores = score(parts, torch.from_numpy(inputs[taken]))
            bought = torch.from_numpy(label[taken].astype(np.float32))
            sizes = [len(r) for r in rows]
            loss = LOSSES[steps.loss](scores, bought, sizes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def softmax_loss(scores: Tensor, bought: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the mean over the lists of the cross-entropy of softmax and purchases."""
    of_list = functional.log_softmax(_padded(scores, sizes, -torch.inf), dim=1)
    share = _padded(bought, sizes, 0.0)
    share = share / share.sum(dim=1, keepdim=True)
    # where nothing stands, 0 times infinity would not be a number
    return -torch.where(share > 0, share * of_list, 0.0).sum(dim=1).mean()


def binary_loss(scores: Tensor, bought: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the mean over the pairs of the cross-entropy of log-odds and purchases."""
    del sizes
    return functional.binary_cross_entropy_with_logits(scores, bought)


LOSSES = {"softmax": softmax_loss, "binary": binary_loss}


def _padded(values: Tensor, sizes: Sequence[int], filling: float) -> Tensor:
    """Return one list per row, shape (number of lists, longest list)."""
    return torch.nn.utils.rnn.pad_sequence(
        torch.split(values, list(sizes)), batch_first=True, padding_value=filling
    )


def _parameter(values: np.ndarray) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, requires_grad=True)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Have PyTorch count on so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
