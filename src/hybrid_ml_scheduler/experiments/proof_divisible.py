"""What the learned policies for divisible tasks reach: ``python -m hybrid_ml_scheduler.experiments.proof_divisible [tables] [drift] [energy]``.

- ``tables``: mean response on the presets, seeds 0 to 19, as multiples of the oracle, with intervals and paired tests; what noise alone costs.
- ``drift``: blocks of tasks around the change, against a history that was taught in the new regime, and against a model that may not learn.
- ``energy``: energy per task against response time over the price of a joule, as a table and a plot.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import FIRST_FALLBACK, CompiledPolicy, Policy, Schedule
from hybrid_ml_scheduler.core.errors import PolicyError
from hybrid_ml_scheduler.core.workload import FloatArray, Workload
from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.divisible import ENERGY_PRICE, EXPLORATION, N_PARAMS
from hybrid_ml_scheduler.engine.features.history import N_SUMS, PIVOT_S, WX, WXX, WXY, WY, W
from hybrid_ml_scheduler.engine.learned_divisible import learned_arrays, prepare_learned
from hybrid_ml_scheduler.engine.metrics import is_saturated, measure
from hybrid_ml_scheduler.engine.outcome import schedule_of
from hybrid_ml_scheduler.engine.state import build_problem, build_state, build_truth
from hybrid_ml_scheduler.engine.statistics import Interval, geometric_mean_ratio, paired_test, t_interval
from hybrid_ml_scheduler.learning.divisible import priced_rule
from hybrid_ml_scheduler.learning.provider import register
from hybrid_ml_scheduler.learning.train_divisible import record_run
from hybrid_ml_scheduler.learning.training import FIRST_TRAINING_SEED
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.policies.priced import oracle_params
from hybrid_ml_scheduler.workloads import hidden_world
from hybrid_ml_scheduler.workloads.clusters import default_cluster
from hybrid_ml_scheduler.workloads.synthetic import generate, slowdowns

PARTS = ("tables", "drift", "energy")
PRESETS = ("steady", "bursty", "heavy")
RULES = ("priced", "energy_aware", "min_min", "sjf+mct", "mct", "greedy", "gpu_only", "cpu_only", "round_robin", "random")
LEARNED = ("hybrid_ml", "hybrid_ml+unguarded", "hybrid_ml+offline", "rl_agent", "rl_agent+unguarded")
BLOCK = 250
"""Tasks in a block of the drift table."""
BLOCKS = range(-2, 6)
TEACHING_RUNS = 3
ENERGY_MODEL = "hybrid_ml:hybrid_ml-divisible-energy"
PRICES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Seconds for a joule, over which the Pareto front is swept."""

Made = Callable[[Workload, Cluster], CompiledPolicy | Policy]


def named(name: str, workload: Workload, cluster: Cluster) -> CompiledPolicy | Policy:
    """Return a policy of the registry."""
    return compile_policy(name, workload, cluster)


def learned(name: str, workload: Workload, cluster: Cluster) -> CompiledPolicy:
    """Return a learned policy of the registry."""
    policy = compile_policy(name, workload, cluster)
    if not isinstance(policy, CompiledPolicy) or policy.fallback is None:
        raise PolicyError(f"policy {name!r} is not learned; expected hybrid_ml or rl_agent")
    return policy


def true_means(workload: Workload, cluster: Cluster, *, like: str | None = None) -> CompiledPolicy:
    """Return a policy that knows the true laws, but not the noise of a task: what no learner can beat with these prices.

    Parameters
    ----------
    workload : Workload
        Of a preset of the hidden world, without drift.
    cluster : Cluster
    like : str, optional
        Learned policy whose prices it takes; the oracle's if left out.
    """
    coefficient, exponent = hidden_world.work_law()
    table = slowdowns(cluster, drifts=False)[0]
    sums = np.zeros((hidden_world.N_KINDS, 1 + table.shape[1], N_SUMS))
    # So many observations on the line itself that the prior does not count.
    weight = 1e7
    level = np.log(coefficient * hidden_world.PIVOT_S ** (exponent - 1.0))
    slope = exponent - 1.0
    for device in range(sums.shape[1]):
        at_pivot = level + (np.log(table[:, device - 1]) if device else 0.0) + np.log(hidden_world.PIVOT_S / PIVOT_S) * slope
        sums[:, device, [W, WXX]] = weight
        sums[:, device, WX] = 0.0
        sums[:, device, WY] = weight * at_pivot
        sums[:, device, WXY] = weight * slope
    base = learned("hybrid_ml" if like is None else like, workload, cluster)
    params = base.params.copy()
    if like is None:
        params[:N_PARAMS] = oracle_params()
    params[EXPLORATION] = 0.0
    return replace(
        base,
        name="true_means" if like is None else f"true_means, prices of {like}",
        codes={"guarded": 0, "online": 0, "records": 0, "refused": 0},
        params=params,
        arrays=dict(learned_arrays(sums)),
        fallback=priced_rule(),
    )


def _interval(value: Interval | float | None) -> str:
    if isinstance(value, Interval):
        return f"{value.estimate:.3f} [{value.low:.3f}, {value.high:.3f}]"
    return "" if value is None else f"{value:.3f}"


def table(preset: str, seeds: Sequence[int], n_tasks: int) -> list[list[str]]:
    """Return the rows of a preset's table: policy, mean response, ratios to the oracle and to priced, p against priced, fallback, saturated."""
    makers: dict[str, Made] = {name: partial(named, name) for name in ("oracle", *LEARNED, *RULES)}
    makers["true means, oracle's prices"] = true_means
    makers["true means, hybrid_ml's prices"] = partial(true_means, like="hybrid_ml")
    response: dict[str, list[float]] = {name: [] for name in makers}
    fallback: dict[str, list[float]] = {name: [] for name in makers}
    saturated: dict[str, list[bool]] = {name: [] for name in makers}
    for seed in seeds:
        workload = generate(preset, seed=seed, n_tasks=n_tasks)
        cluster = default_cluster(workload)
        for name, make in makers.items():
            schedule = simulate(workload, cluster, make(workload, cluster))
            response[name].append(measure(workload, cluster, schedule)["mean_response_s"])
            fallback[name].append(float((schedule.decided_by >= FIRST_FALLBACK).mean()))
            saturated[name].append(is_saturated(workload, schedule))
    rows = []
    for name, values in sorted(response.items(), key=lambda item: float(np.mean(item[1]))):
        test = paired_test(values, response["priced"])
        rows.append(
            [
                name,
                f"{np.mean(values):.3f}",
                f"{np.mean(values) / np.mean(response['oracle']):.3f}",
                _interval(geometric_mean_ratio(values, response["oracle"])),
                f"{np.mean(values) / np.mean(response['priced']):.3f}",
                "" if test is None or name == "priced" else f"{test.t_p:.1e}",
                f"{100 * np.mean(fallback[name]):.1f} %" if name in LEARNED else "",
                f"{sum(saturated[name])} of {len(values)}",
            ]
        )
    return rows


def _second_regime(workload: Workload) -> Workload:
    """Return the workload as if the regime after the change had held from the beginning."""
    slowdown = workload.truth.slowdown
    if slowdown is None:
        raise PolicyError(f"workload {workload.name!r} does not drift; expected the preset drift")
    return replace(workload, truth=replace(workload.truth, slowdown=slowdown[1:], regime_start_s=np.array([-np.inf])))


def taught_in_new_regime() -> FloatArray:
    """Return what a history knows after recorded runs in the regime after the change, on training seeds."""
    sums = np.zeros((hidden_world.N_KINDS, 3, N_SUMS))
    for turn in range(TEACHING_RUNS):
        workload = _second_regime(generate("drift", seed=FIRST_TRAINING_SEED + turn))
        _, run = record_run(workload, default_cluster(workload), sums, share=0.1, seed=turn)
        sums = run.mind.history.sums.copy()
    return sums


def drift_blocks(seeds: Sequence[int]) -> dict[str, FloatArray]:
    """Return the mean response of each block of tasks (by arrival) around the change, per policy, shape (seeds, blocks).

    ``taught`` is ``hybrid_ml`` until the change and from then on has the history that was taught in the new regime: what there is to win back.
    """
    names = ("hybrid_ml", "hybrid_ml+unguarded", "hybrid_ml+offline", "hybrid_ml+unguarded+offline", "rl_agent", "priced", "oracle")
    found: dict[str, list[FloatArray]] = {name: [] for name in (*names, "taught")}
    taught = taught_in_new_regime()
    for seed in seeds:
        workload = generate("drift", seed=seed)
        cluster = default_cluster(workload)
        change = float(workload.truth.regime_start_s[1])
        first = int(np.searchsorted(workload.tasks.arrival_s, change))

        def blocks(schedule: Schedule, workload: Workload = workload, first: int = first) -> FloatArray:
            response = schedule.finish_s - workload.tasks.arrival_s
            return np.array([response[first + block * BLOCK : first + (block + 1) * BLOCK].mean() for block in BLOCKS])

        for name in names:
            found[name].append(blocks(simulate(workload, cluster, compile_policy(name, workload, cluster))))
        found["taught"].append(blocks(_swapped(workload, cluster, change, taught)))
    return {name: np.array(rows) for name, rows in found.items()}


def _swapped(workload: Workload, cluster: Cluster, change: float, sums: FloatArray) -> Schedule:
    policy = learned("hybrid_ml+unguarded", workload, cluster)
    problem = build_problem(workload, cluster)
    before = simulate(workload, cluster, policy)
    run = prepare_learned(policy, workload, cluster, problem, build_truth(workload, cluster))
    state = build_state(problem)
    run.step(state, int((before.finish_s < change).sum()))
    run.mind.history.sums[:] = sums
    run.mind.history.version[:] += 1
    run.step(state, len(workload))
    return schedule_of(problem, state, "taught", 0.0)


def energy_front(seeds: Sequence[int], load: float) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return mean response (s) and energy per task (J) of every seed, for each price of a joule and for rules."""
    makers: dict[str, Made] = {f"hybrid_ml, {price:g} s/J": partial(_with_energy_price, price) for price in PRICES}
    makers |= {name: partial(named, name) for name in (ENERGY_MODEL, "priced", "energy_aware", "gpu_only", "mct", "oracle")}
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in makers}
    for seed in seeds:
        workload = generate("steady", seed=seed, load=load)
        cluster = default_cluster(workload)
        for name, make in makers.items():
            metrics = measure(workload, cluster, simulate(workload, cluster, make(workload, cluster)))
            found[name][0].append(metrics["mean_response_s"])
            found[name][1].append(metrics["energy_per_task_j"])
    return {name: (np.array(response), np.array(energy)) for name, (response, energy) in found.items()}


def _with_energy_price(price: float, workload: Workload, cluster: Cluster) -> CompiledPolicy:
    policy = learned("hybrid_ml+unguarded", workload, cluster)
    params = policy.params.copy()
    params[ENERGY_PRICE] = price
    return replace(policy, params=params)


def save_front(front: dict[str, tuple[FloatArray, FloatArray]], path: Path) -> None:
    """Draw energy per task against mean response, both with 95 % intervals, as a PNG; policies that are far slower than all prices are named only."""
    from hybrid_ml_scheduler.experiments.plots import BLUE, GREY, VERMILLION, png

    swept = [name for name in front if name.startswith("hybrid_ml, ")]
    slowest = 1.1 * max(float(front[name][0].mean()) for name in swept)
    beyond = [f"{name} ({response.mean():.0f} s, {energy.mean():.0f} J)" for name, (response, energy) in front.items() if response.mean() > slowest]
    front = {name: points for name, points in front.items() if points[0].mean() <= slowest}

    with png(path, 7.0, 4.5) as figure:
        axes = figure.add_subplot()
        axes.plot([front[name][0].mean() for name in swept], [front[name][1].mean() for name in swept], color=BLUE, linewidth=1.0)
        for name, (response, energy) in front.items():
            spread = [t_interval(values) for values in (response, energy)]
            error = [0.0 if interval is None else interval.high - interval.estimate for interval in spread]
            color = BLUE if name in swept else VERMILLION if name.startswith("hybrid_ml") else GREY
            axes.errorbar(response.mean(), energy.mean(), xerr=error[0], yerr=error[1], fmt="o", color=color, markersize=4, linewidth=0.8)
            label = name.removeprefix("hybrid_ml, ") if name in swept else "hybrid_ml-divisible-energy" if name == ENERGY_MODEL else name
            axes.annotate(label, (response.mean(), energy.mean()), xytext=(5, 4), textcoords="offset points", fontsize=7)
        axes.set_xlabel("mean response (s)" + (f"; not shown: {', '.join(beyond)}" if beyond else ""))
        axes.set_ylabel("energy per task (J)")


def _print(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [" | ".join(head), " | ".join(["---"] * len(head)), *(" | ".join(row) for row in rows)]
    sys.stdout.write("".join(f"| {line} |\n" for line in lines) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="tables, drift, energy; all if none is named")
    parser.add_argument("--seeds", type=int, default=20, help="seeds 0 to this")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--presets", default=",".join(PRESETS))
    parser.add_argument("--loads", default="1,0.4", help="factors on the load of steady, for energy")
    parser.add_argument("--plot", type=Path, help="PNG of the energy front at the first of the loads")
    options = parser.parse_args(arguments)
    register()
    parts = options.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: expected {', '.join(PARTS)}")
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    if "tables" in parts:
        for preset in options.presets.split(","):
            sys.stdout.write(f"{preset}, {len(seeds)} seeds, {options.tasks} tasks\n\n")
            head = ("policy", "mean response, s", "of oracle", "geometric mean and 95 % interval", "of priced", "p", "fallback", "saturated")
            _print(head, table(preset, seeds, options.tasks))
    if "drift" in parts:
        blocks = drift_blocks(seeds)
        reference = blocks["taught"].mean(axis=0)
        sys.stdout.write(
            f"drift, {len(seeds)} seeds: mean response (s) of blocks of {BLOCK} tasks from the change on, and as multiples of taught\n\n"
        )
        rows = [
            [name, *(f"{value:.2f} ({value / base:.2f})" for value, base in zip(found.mean(axis=0), reference, strict=True))]
            for name, found in blocks.items()
        ]
        _print(("policy", *(f"{block * BLOCK:+d}" for block in BLOCKS)), rows)
    if "energy" in parts:
        for number, load in enumerate(float(word) for word in options.loads.split(",")):
            front = energy_front(seeds, load)
            sys.stdout.write(f"steady x {load:g}, {len(seeds)} seeds\n\n")
            rows = [[name, _interval(t_interval(response)), _interval(t_interval(energy))] for name, (response, energy) in front.items()]
            _print(("policy", "mean response, s", "energy per task, J"), rows)
            if options.plot is not None and number == 0:
                save_front(front, options.plot)


if __name__ == "__main__":
    main()
