"""Train an agent with Stable-Baselines3, and compare it with rules on workloads that it has not seen.

    pip install 'hybrid-ml-scheduler[sb3]' sb3-contrib
    python examples/train_with_sb3.py steady --steps 50000

With sb3-contrib the agent is MaskablePPO, which never chooses what is not possible; without it PPO, for which such a choice means waiting.
"""
# ruff: noqa: INP001, T201 - a script that prints

from __future__ import annotations

import argparse
from importlib.util import find_spec
from statistics import mean
from typing import Any

import gymnasium
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.utils import set_random_seed

from hybrid_ml_scheduler.engine import simulate
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.learning.gym_env import ENVIRONMENT_ID, HybridSchedulingEnv
from hybrid_ml_scheduler.policies import compile_policy
from hybrid_ml_scheduler.workloads.clusters import workstation

RULES = ("mct", "sjf+mct", "priced")
SLOTS = 4
DISCOUNT = 1.0
"""Discounting by the step would reward taking many steps, that is waiting: all rewards are negative."""
FIRST_TEST_SEED = 0
"""Training draws its episodes from seeds of 10,000 and more."""


def make(preset: str, objective: str, tasks: int) -> gymnasium.Env[Any, Any]:
    """Return the environment; its reward is scaled so that a task costs about a tenth, because critics learn badly from much smaller numbers."""
    env = gymnasium.make(ENVIRONMENT_ID, workload=preset, objective=objective, tasks=tasks, slots=SLOTS)
    _, info = env.reset(seed=0)
    ended = False
    while not ended:
        _, _, ended, _, info = env.step(int(info["action_mask"].argmax()))
    scale = 0.1 * tasks / info["objective"]
    return gymnasium.wrappers.TransformReward(env, lambda reward: scale * reward)


def train(env: gymnasium.Env[Any, Any], steps: int, seed: int) -> Any:
    """Train an agent; it is asked for one of the possible actions where sb3-contrib is installed."""
    # Nets are small: more threads only wait for each other.
    torch.set_num_threads(1)
    if find_spec("sb3_contrib"):
        from sb3_contrib import MaskablePPO
        from sb3_contrib.common.wrappers import ActionMasker

        masked = ActionMasker(env, lambda wrapped: wrapped.unwrapped.action_masks())
        return MaskablePPO("MlpPolicy", masked, gamma=DISCOUNT, batch_size=256, seed=seed, device="cpu", verbose=1).learn(steps)
    return PPO("MlpPolicy", env, gamma=DISCOUNT, batch_size=256, seed=seed, device="cpu", verbose=1).learn(steps)


def evaluate(agent: Any, preset: str, objective: str, tasks: int, seeds: range) -> dict[str, float]:
    """Return the mean objective over seeds: of the agent, which draws its actions as in training, and of rules on the same tasks."""
    env = HybridSchedulingEnv(preset, objective=objective, tasks=tasks, slots=SLOTS)
    masked = type(agent) is not PPO
    values: dict[str, list[float]] = {"agent": []}
    for seed in seeds:
        columns, info = env.reset(options={"seed": seed})
        ended = False
        while not ended:
            more = {"action_masks": env.action_masks()} if masked else {}
            action, _ = agent.predict(columns, **more)
            columns, _, ended, _, info = env.step(action)
        values["agent"].append(info["objective"])
        for rule in RULES:
            schedule = simulate(env.workload, workstation(), compile_policy(rule, env.workload, workstation(), seed))
            values.setdefault(rule, []).append(env.objective.value(measure(env.workload, workstation(), schedule)))
    return {name: mean(numbers) for name, numbers in values.items()}


def main() -> None:
    """Read the command line, train, and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", nargs="?", default="steady")
    parser.add_argument("--objective", default="mean_response")
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--tasks", type=int, default=200, help="per episode")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--test-seeds", type=int, default=5)
    arguments = parser.parse_args()
    agent = train(make(arguments.preset, arguments.objective, arguments.tasks), arguments.steps, arguments.seed)
    seeds = range(FIRST_TEST_SEED, FIRST_TEST_SEED + arguments.test_seeds)
    set_random_seed(arguments.seed)
    for name, value in evaluate(agent, arguments.preset, arguments.objective, arguments.tasks, seeds).items():
        print(f"{name:8} {arguments.objective} {value:.3f}", flush=True)


if __name__ == "__main__":
    main()
