"""The engine as a Gymnasium environment, so that agents can be trained with any library; docs/gym.md is the page for users.

Importing this module registers `ENVIRONMENT_ID`. It needs the optional extra ``gym``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.decision import Decision, Schedule
from hybrid_ml_scheduler.core.errors import InputError
from hybrid_ml_scheduler.core.workload import Workload
from hybrid_ml_scheduler.engine import Simulation, observation
from hybrid_ml_scheduler.engine.decision_point import bind
from hybrid_ml_scheduler.engine.features.sheet import Feature
from hybrid_ml_scheduler.engine.metrics import measure
from hybrid_ml_scheduler.engine.state import HEAP_SIZE, N_FINISHED, NEXT_ARRIVAL, build_problem, build_state, build_truth, nominal_law
from hybrid_ml_scheduler.learning.card import DEFAULT_OBJECTIVES
from hybrid_ml_scheduler.learning.gym_reward import CostMeter
from hybrid_ml_scheduler.learning.objective import Objective, parse_objective
from hybrid_ml_scheduler.learning.provider import model_kind
from hybrid_ml_scheduler.learning.training import FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED
from hybrid_ml_scheduler.workloads.clusters import default_cluster, open_cluster
from hybrid_ml_scheduler.workloads.open import open_workload
from hybrid_ml_scheduler.workloads.synthetic import PRESETS, generate
from hybrid_ml_scheduler.workloads.windows import windows

try:
    import gymnasium
    from gymnasium import spaces
except ImportError as error:
    raise InputError("Gymnasium is not installed; expected the optional extra: pip install 'hybrid-ml-scheduler[gym]'") from error

ENVIRONMENT_ID = "HybridScheduling-v0"
"""For `gymnasium.make`; before this module has been imported: ``hybrid_ml_scheduler.learning.gym_env:HybridScheduling-v0``."""

TRAINING_SEEDS = (FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED)
"""Generated episodes have seeds from the first to before the second, none of which a comparison uses."""


class HybridSchedulingEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """Scheduling, one decision at a time: which of the first waiting tasks starts next, where, and with which GPU fraction.

    An episode is one workload from its first arrival until every task has run. The agent is asked whenever at least one of its actions could start a
    task; between such points the engine moves on by itself. Time passes only when the agent waits, or has nothing to choose.

    **Actions** (``Discrete``). The waiting tasks that arrived first stand in ``slots`` slots. Divisible tasks have, per slot, ``nodes + 2 x GPUs``
    actions: on the CPU alone of each node; then, GPU by GPU, split by the closed form of nominal times, and on the GPU alone. Batch jobs have one per
    slot: start it. The last action waits for the next event.

    An action that is not possible (``info["action_mask"]``, `action_masks`) is counted and taken for waiting. Where nothing is left to happen,
    waiting is not possible either, and the first possible action is carried out in its place. So an episode ends after finitely many steps whatever
    is chosen, with every task run.

    **Observations** (``Box``, float32): `sheet` says what each column means.

    **Rewards** are minus what the step added to the objective, weights included and nothing else: the undiscounted return is minus its value, which
    ``info["objective"]`` gives at the end (`learning.gym_reward.CostMeter` says when what is paid).

    Parameters
    ----------
    workload : str or Workload
        A preset (an episode is generated from a seed of `seeds`), or a batch trace or other file (an episode is a window of it).
    cluster : str or Cluster, optional
        By default the usual one of the workload.
    objective : str or Objective, optional
        As `learning.objective.parse_objective` reads it; by default the usual one of the kind of workload.
    slots : int
        Waiting tasks that the agent can choose among; 1 to 256.
    tasks : int or None
        Tasks per episode, >= 1; None for a whole file, or the usual number of a preset.
    seeds : (int, int)
        First seed, and the one behind the last, of generated episodes.
    first_jobs : int, optional
        Windows come from so many first jobs of a file only, so that the rest remains for tests.

    Raises
    ------
    InputError
        If the workload, cluster or objective cannot be used, or a number is out of range.

    Examples
    --------
    >>> env = HybridSchedulingEnv("steady", slots=4, tasks=20)
    >>> _, info = env.reset(seed=1)
    >>> ended, total = False, 0.0
    >>> while not ended:
    ...     _, reward, ended, _, info = env.step(int(np.argmax(info["action_mask"])))
    ...     total += reward
    >>> bool(np.isclose(total, -info["objective"]))
    True
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own name and type

    def __init__(
        self,
        workload: str | Workload = "steady",
        cluster: str | Cluster | None = None,
        *,
        objective: str | Objective | None = None,
        slots: int = 8,
        tasks: int | None = 500,
        seeds: Sequence[int] = TRAINING_SEEDS,
        first_jobs: int | None = None,
    ) -> None:
        if not 1 <= slots <= 256:
            raise InputError(f"slots is {slots}; expected 1 to 256")
        if tasks is not None and tasks < 1:
            raise InputError(f"tasks is {tasks}; expected at least 1, or None for all")
        if len(seeds) != 2 or not 0 <= seeds[0] < seeds[1]:
            raise InputError(f"seeds are {tuple(seeds)}; expected the first one, at least 0, and a larger one behind the last")
        self._seeds, self._tasks, self._slots = (int(seeds[0]), int(seeds[1])), tasks, slots
        self._preset = workload if isinstance(workload, str) and workload in PRESETS else None
        self._cluster = open_cluster(cluster) if isinstance(cluster, str) else cluster
        if self._preset is not None:
            base = generate(self._preset, seed=self._seeds[0], cluster=self._cluster, n_tasks=1)
        else:
            base = open_workload(workload) if isinstance(workload, str) else workload
            if first_jobs is not None:
                base = windows(base, [(0, first_jobs)])[0]
        self._base = base
        self._place = default_cluster(base) if self._cluster is None else self._cluster
        kind = model_kind(base, self._place)
        if kind not in ("batch", "divisible"):
            raise InputError(
                f"workload {base.name!r} on cluster {self._place.name!r}: expected batch jobs on a pool of processors, or divisible tasks"
            )
        self.objective = objective if isinstance(objective, Objective) else parse_objective(objective or DEFAULT_OBJECTIVES[kind])
        n_nodes, n_gpus = len(self._place.nodes), self._place.n_gpus
        self._divisible = kind == "divisible"
        self._options = n_nodes + 2 * n_gpus if self._divisible else 1
        self.sheet: tuple[Feature, ...] = observation.divisible_sheet(slots, n_nodes, n_gpus) if self._divisible else observation.batch_sheet(slots)
        """The data sheet of an observation, column by column."""
        low, high = (np.array([getattr(feature, bound) for feature in self.sheet], dtype=np.float32) for bound in ("low", "high"))
        self.observation_space = spaces.Box(low, high, dtype=np.float32)
        self.action_space = spaces.Discrete(slots * self._options + 1)
        self._rows = np.full(slots, -1, dtype=np.int64)
        self._columns = np.zeros(len(self.sheet), dtype=np.float32)
        self._mask = np.zeros(slots * self._options + 1, dtype=np.bool_)
        self._fractions = np.zeros((slots, n_gpus))
        self._columns_of_cluster = self._place.columns()
        self._ended = True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode.

        Parameters
        ----------
        seed : int, optional
            Of the choice of episodes from now on: the same seed gives the same sequence of them.
        options : dict, optional
            ``{"seed": n}`` names the seed of a generated workload, ``{"start": n}`` the first job of a window, instead of a random one.

        Returns
        -------
        observation : ndarray of float32
        info : dict
            ``action_mask`` (ndarray of int8), ``time_s``, ``invalid_actions`` and ``forced_starts`` (counts of this episode).

        Raises
        ------
        InputError
            If an option is unknown or out of range, or no task of the episode can ever finish.
        """
        super().reset(seed=seed)
        workload = self._draw(dict(options or {}))
        problem = build_problem(workload, self._place)
        state = build_state(problem)
        self._workload, self._state = workload, state
        self._simulation = Simulation(workload, self._place, _parts=(problem, build_truth(workload, self._place), state))
        # The observing functions get nominal times where the engine has the truth.
        self._visible = bind(problem, nominal_law(problem), state)
        self._meter = CostMeter(workload, self._place, self.objective, problem, state)
        self._invalid = self._forced = 0
        self._ended = False
        self._to_next_choice()
        return self._columns.copy(), self._info()

    def _draw(self, options: dict[str, Any]) -> Workload:
        known = "seed" if self._preset is not None else "start"
        chosen = options.pop(known, None)
        if options or not (chosen is None or (isinstance(chosen, int | np.integer) and chosen >= 0)):
            raise InputError(f"options {options or {known: chosen}}; expected {{'{known}': a whole number of at least 0}} or none")
        if self._preset is not None:
            seed = int(self.np_random.integers(*self._seeds)) if chosen is None else int(chosen)
            return generate(self._preset, seed=seed, cluster=self._cluster, n_tasks=self._tasks)
        if self._tasks is None or self._tasks >= len(self._base):
            return self._base
        # Jobs of run time 0 do not count in windows.
        last = int(np.count_nonzero(self._base.truth.work_s > 0)) - self._tasks
        start = int(self.np_random.integers(0, max(last, 0) + 1)) if chosen is None else int(chosen)
        return windows(self._base, [(start, self._tasks)])[0]

    def step(self, action: np.int64) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Carry an action out and move to the next choice.

        Parameters
        ----------
        action : int
            One of ``action_space``.

        Returns
        -------
        observation : ndarray of float32
        reward : float
            Minus what the step added to the objective.
        terminated : bool
            Whether every task has run.
        truncated : bool
            Always False.
        info : dict
            As `reset` gives it; at the end also ``objective`` (its value) and ``metrics`` (all of `engine.metrics.measure`).

        Raises
        ------
        InputError
            If the action is none, or the episode has ended.
        """
        if self._ended:
            raise InputError("the episode has ended; expected reset before the next step")
        chosen, wait = int(action), len(self._mask) - 1
        if not 0 <= chosen <= wait:
            raise InputError(f"action {chosen}; expected 0 to {wait}")
        self._invalid += not self._mask[chosen]
        cost = 0.0
        if chosen != wait and self._mask[chosen]:
            self._start(chosen)
        elif self._something_is_left():
            cost += self._advance()
        else:
            self._forced += 1
            self._start(int(np.argmax(self._mask)))
        passed, ended = self._to_next_choice()
        cost += passed
        info = self._info()
        if ended:
            cost += self._meter.at_end()
            info["metrics"] = measure(self._workload, self._place, self.schedule())
            info["objective"] = self.objective.value(info["metrics"])
        return self._columns.copy(), -cost, ended, False, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are possible, as sb3-contrib's MaskablePPO asks for it; shape (n_actions,)."""
        return self._mask.copy()

    def schedule(self) -> Schedule:
        """Return what has happened in this episode so far."""
        return self._simulation.schedule("gym")

    @property
    def workload(self) -> Workload:
        """The workload of this episode."""
        return self._workload

    def _start(self, action: int) -> None:
        slot, option = divmod(action, self._options)
        task = int(self._rows[slot])
        columns = self._columns_of_cluster
        n_nodes = len(columns.node_cores_milli)
        if not self._divisible or option < n_nodes:
            self._simulation.start(Decision(task, node=option if self._divisible else 0))
            return
        gpu, whole = divmod(option - n_nodes, 2)
        node = int(columns.gpu_node[gpu])
        fraction = 1.0 if whole else float(self._fractions[slot, gpu])
        self._simulation.start(Decision(task, node, (gpu - int(columns.gpu_ptr[node]),), fraction))

    def _something_is_left(self) -> bool:
        counters = self._state.counters
        return bool(counters[HEAP_SIZE] > 0 or counters[NEXT_ARRIVAL] < len(self._workload))

    def _advance(self) -> float:
        self._simulation.next_event()
        counters = self._state.counters
        return self._meter.after_event(self._simulation.now_s, int(counters[NEXT_ARRIVAL]), int(counters[N_FINISHED]))

    def _to_next_choice(self) -> tuple[float, bool]:
        """Move on until a task could be started, or all have run; returns what that added to the objective, and whether all have."""
        cost = 0.0
        while not self._observe():
            if not self._something_is_left():
                self._ended = True
                break
            cost += self._advance()
        self._mask[-1] = self._ended or self._something_is_left()
        return cost, self._ended

    def _observe(self) -> bool:
        addresses = self._visible.addresses
        if self._divisible:
            return observation.observe_divisible(addresses, self._rows, self._columns, self._mask, self._fractions)
        return observation.observe_batch(addresses, self._rows, self._columns, self._mask)

    def _info(self) -> dict[str, Any]:
        return {
            "action_mask": self._mask.astype(np.int8),
            "time_s": self._simulation.now_s,
            "invalid_actions": self._invalid,
            "forced_starts": self._forced,
        }


gymnasium.register(id=ENVIRONMENT_ID, entry_point=f"{__name__}:{HybridSchedulingEnv.__name__}")
