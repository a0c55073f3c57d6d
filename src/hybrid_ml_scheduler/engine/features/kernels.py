"""Features of the tasks of a graph on unrelated machines, from visible columns alone."""

from __future__ import annotations

import numpy as np

from hybrid_ml_scheduler.core.workload import FloatArray, IntArray
from hybrid_ml_scheduler.engine.features.sheet import Feature
from hybrid_ml_scheduler.engine.graphs import downward_rank, optimistic_cost_table, upward_rank
from hybrid_ml_scheduler.engine.list_plan import GraphView, Scores

KERNELS = (
    Feature("up_mean", "1", 0.0, 1.0, "longest path to the end by run times averaged over machines (HEFT's upward rank), of the largest"),
    Feature("up_least", "1", 0.0, 1.0, "the same with the least run time of every task"),
    Feature("up_priced", "1", 0.0, 1.0, "the same with the run time on the machine whose time is cheapest for the task"),
    Feature("rest_mean", "1", 0.0, 1.0, "mean of the task's row of the optimistic cost table (PEFT's rank), of the largest"),
    Feature("rest_least", "1", 0.0, 1.0, "least run time plus optimistic rest over the machines, of the largest"),
    Feature("down_mean", "1", 0.0, 1.0, "longest path from the beginning (HEFT's downward rank), of the largest"),
    Feature("slack", "1", 0.0, 1.0, "1 - longest path through the task / longest path of all, by priced run times"),
    Feature("least", "1", 0.0, 1.0, "least run time, of the largest"),
    Feature("acceleration", "1", 0.0, 14.0, "natural logarithm of slowest over fastest machine"),
    Feature("children", "1", 0.0, 1.0, "number of children, of the largest"),
)
"""Data sheet of the columns of `graph_features`."""

PRICE_STEPS = 200


def class_prices(cost_s: FloatArray, class_size: IntArray) -> FloatArray:
    """Price the time of each class of machines so that the work of all tasks becomes as dear as it can.

    Parameters
    ----------
    cost_s : ndarray of float64, shape (n, c)
        Run time of every task on every class in seconds.
    class_size : ndarray of int64, shape (c,)
        Machines of each class.

    Returns
    -------
    ndarray of float64, shape (c,)
        Price of one machine-second, > 0; holding all machines for a second costs 1. Near the dual prices of the linear program that shares the
        work out over the classes; found by multiplicative weights, a fixed number of steps.

    References
    ----------
    .. [1] Arora, Hazan, Kale, "The multiplicative weights update method", Theory of Computing 8, 2012.
    """
    n_classes = len(class_size)
    if n_classes == 1 or not len(cost_s):
        return np.full(n_classes, 1.0 / class_size.sum())
    kinds, counts = np.unique(cost_s, axis=0, return_counts=True)
    weight = np.full(n_classes, 1.0 / n_classes)
    best, best_value = weight / class_size, -np.inf
    for step in range(PRICE_STEPS):
        price = weight / class_size
        paid = kinds * price
        chosen = paid.argmin(axis=1)
        value = float((paid.min(axis=1) * counts).sum())
        if value > best_value:
            best, best_value = price, value
        load = np.bincount(chosen, weights=kinds[np.arange(len(kinds)), chosen] * counts, minlength=n_classes) / class_size
        top = load.max()
        if top <= 0.0:
            break
        weight = weight * np.exp(0.5 / (1.0 + 0.1 * step) * (load / top - 1.0))
        weight = np.maximum(weight / weight.sum(), 1e-6)
        weight /= weight.sum()
    return np.asarray(best)


def graph_features(view: GraphView) -> tuple[FloatArray, Scores]:
    """Compute the features of every task, and what the placement weighs.

    Parameters
    ----------
    view : GraphView
        Costs, edges and machines; arrivals and what has started do not matter.

    Returns
    -------
    features : ndarray of float64, shape (n, 10)
        The columns of `KERNELS`.
    scores : Scores
    """
    cost, pointer, parents, transfer = view.cost, view.parent_ptr, view.parent_idx, view.transfer
    _, first, size = np.unique(view.machine_class, return_index=True, return_counts=True)
    by_class = cost[:, first]
    prices = class_prices(by_class, size.astype(np.int64))
    paid = by_class * prices
    cheapest = paid.argmin(axis=1)
    rows = np.arange(len(cost))
    priced_s = by_class[rows, cheapest][:, None]
    least = by_class.min(axis=1)
    rest = optimistic_cost_table(cost, pointer, parents, transfer)
    up_priced = upward_rank(priced_s, pointer, parents, transfer)
    through = up_priced + downward_rank(priced_s, pointer, parents, transfer)
    most = by_class.max(axis=1)
    acceleration = np.log(np.maximum(most, 1e-12) / np.maximum(least, 1e-12))
    features = np.stack(
        [
            _of_largest(upward_rank(cost, pointer, parents, transfer)),
            _of_largest(upward_rank(least[:, None], pointer, parents, transfer)),
            _of_largest(up_priced),
            _of_largest(rest.mean(axis=1)),
            _of_largest((rest + cost).min(axis=1)),
            _of_largest(downward_rank(cost, pointer, parents, transfer)),
            1.0 - _of_largest(through),
            _of_largest(least),
            acceleration,
            _of_largest(np.diff(view.child_ptr).astype(np.float64)),
        ],
        axis=1,
    )
    # Prices are per machine: times the number of machines, equal prices give seconds.
    red = (paid - paid[rows, cheapest][:, None]) * float(size.sum())
    scores = Scores(rest, np.ascontiguousarray(red[:, view.machine_class]), np.ascontiguousarray(features[:, 6]), least)
    return np.ascontiguousarray(features), scores


def _of_largest(values: FloatArray) -> FloatArray:
    largest = float(values.max(initial=0.0))
    return values / largest if largest > 0.0 else np.zeros(len(values))
