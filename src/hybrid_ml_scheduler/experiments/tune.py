"""Tune the parameters of the priced rule or of the oracle: ``python -m hybrid_ml_scheduler.experiments.tune priced|oracle``.

Direct search by CMA-ES [1]_ over the logarithms of the parameters, on training seeds from 10,000 on; the parameters that are best on validation seeds
of their own are printed, ready for ``policies/priced.py``. No seed below 10,000 is ever touched: those are for comparisons.

References
----------
.. [1] Hansen, "The CMA evolution strategy: a tutorial", arXiv:1604.00772, 2016.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import CompiledPolicy
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import FloatArray, Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import default_cluster
from hybrid_ml_scheduler.workloads.synthetic import generate

PRESETS = ("steady", "bursty", "heavy")
FIRST_TRAINING_SEED = 10_000
FIRST_VALIDATION_SEED = 10_500
START = (0.1, 0.5, 1.0, 1.0, 0.2, 0.5, 0.3, 0.01, 0.01)
"""Where every search starts, in the positions of `engine.divisible`; all above 0, because logarithms are searched."""


@dataclass(frozen=True, slots=True)
class Arena:
    """Workloads on which parameters are judged, with the score of the starting parameters on each."""

    workloads: tuple[Workload, ...]
    cluster: Cluster

    def score(self, policy: CompiledPolicy, params: FloatArray) -> float:
        """Return the mean over the workloads of the logarithm of the mean response time in seconds; lower is better."""
        policy = replace(policy, params=params)
        return float(
            np.mean([np.log(measure(work, self.cluster, simulate(work, self.cluster, policy))["mean_response_s"]) for work in self.workloads])
        )


def arena(first_seed: int, seeds: int, n_tasks: int) -> Arena:
    """Generate the workloads of an arena: every preset with every seed."""
    workloads = tuple(generate(preset, seed=seed, n_tasks=n_tasks) for preset in PRESETS for seed in range(first_seed, first_seed + seeds))
    return Arena(workloads, default_cluster(workloads[0]))


def tune(name: str, *, evaluations: int = 600, seeds: int = 3, n_tasks: int = 3000, seed: int = 1) -> tuple[FloatArray, float, float]:
    """Search the parameters of a policy.

    Parameters
    ----------
    name : str
        ``priced`` or ``oracle``.
    evaluations : int
        Parameter sets to try; >= 10.
    seeds : int
        Training seeds of each preset, and as many validation seeds.
    n_tasks : int
        Tasks of each workload.
    seed : int
        Of the search; > 0.

    Returns
    -------
    params : ndarray of float64
        Best on the validation workloads among the best of every generation and the starting point.
    before, after : float
        Geometric mean of the mean response time on the validation workloads, in seconds, of `START` and of ``params``.

    Raises
    ------
    InputError
        For other names, or numbers out of range.
    """
    if name not in ("priced", "oracle"):
        raise InputError(f"nothing to tune in policy {name!r}; expected priced or oracle")
    if evaluations < 10 or seeds < 1 or n_tasks < 100 or seed < 1:
        raise InputError("expected at least 10 evaluations, 1 seed, 100 tasks and a search seed above 0")
    import cma

    training, validation = arena(FIRST_TRAINING_SEED, seeds, n_tasks), arena(FIRST_VALIDATION_SEED, seeds, n_tasks)
    policy = compile_policy(name, training.workloads[0], training.cluster)
    if not isinstance(policy, CompiledPolicy):
        raise InputError(f"policy {name!r} is not compiled")
    start = np.log(np.array(START))
    search = cma.CMAEvolutionStrategy(start, 0.5, {"seed": seed, "verbose": -9, "maxfevals": evaluations})
    candidates = [start]
    while not search.stop():
        asked = search.ask()
        scores = [training.score(policy, np.exp(point)) for point in asked]
        search.tell(asked, scores)
        candidates.append(asked[int(np.argmin(scores))])
        sys.stderr.write(f"{search.countevals} of {evaluations} parameter sets, best {np.exp(search.best.f):.4f} s\n")
    candidates.append(search.mean)
    judged = [validation.score(policy, np.exp(point)) for point in candidates]
    best = int(np.argmin(judged))
    return np.exp(candidates[best]), float(np.exp(judged[0])), float(np.exp(judged[best]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the search from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("policy", choices=("priced", "oracle"))
    parser.add_argument("--evaluations", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    params, before, after = tune(options.policy, evaluations=options.evaluations, seeds=options.seeds, n_tasks=options.tasks, seed=options.seed)
    sys.stdout.write(f"{options.policy}: validation {before:.4f} s before, {after:.4f} s after\n[{', '.join(f'{value:.4g}' for value in params)}]\n")


if __name__ == "__main__":
    main()
