"""Learning in the running service: models brought up to date from the newest outcomes of their own lanes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from hybrid_ml_scheduler.core.cluster import Cluster
from hybrid_ml_scheduler.core.errors import ModelError, NotRunningError, StorageError
from hybrid_ml_scheduler.core.streams import TrainingWindow
from hybrid_ml_scheduler.engine.features.divisible import DIVISIBLE
from hybrid_ml_scheduler.engine.features.history import PIVOT_S
from hybrid_ml_scheduler.learning.divisible import CPU
from hybrid_ml_scheduler.learning.retrain_divisible import HeldOut, Outcomes, judge, retrain
from hybrid_ml_scheduler.learning.store import ModelStore
from hybrid_ml_scheduler.live.contract import Training
from hybrid_ml_scheduler.live.group import Change
from hybrid_ml_scheduler.live.lanes import Chosen
from hybrid_ml_scheduler.live.present import PresentRun
from hybrid_ml_scheduler.live.run_models import RunModels
from hybrid_ml_scheduler.live.settings import LiveSettings
from hybrid_ml_scheduler.storage.service import SimulationDataService

_LOG = logging.getLogger(__name__)

MOST_VERSIONS = 10
MOST_TRAININGS = 50
"""Newest versions and trainings that are shown."""
_PLACE = {feature.name: place for place, feature in enumerate(DIVISIBLE)}
_SHORTEST_S = 1e-9


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training made.

    Attributes
    ----------
    model : str
        ``NAME@VERSION``, in the store.
    sha256 : str
        Of its arrays.
    rows : int
        Outcomes that it looked at.
    held_out : HeldOut
        What it brought.
    """

    model: str
    sha256: str
    rows: int
    held_out: HeldOut


def outcomes_of_window(window: TrainingWindow, scheduler: str, cluster: Cluster) -> Outcomes:
    """Return what the finished tasks of one lane have shown, oldest first: for every part the observed work over the nominal one.

    Parameters
    ----------
    window : TrainingWindow
    scheduler : str
        Policy of the lane.
    cluster : Cluster
    """
    kinds, devices, sizes, factors = [], [], [], []
    columns = cluster.columns()
    link = {model: float(columns.gpu_link_mb_s[columns.gpu_model == code][0]) for code, model in enumerate(cluster.gpu_models)}
    launch = {model: float(columns.gpu_launch_s[columns.gpu_model == code][0]) for code, model in enumerate(cluster.gpu_models)}
    for row in np.flatnonzero(np.asarray(window.columns["scheduler"], dtype=object) == scheduler) if len(window) else ():
        x = window.features[row]
        fraction = float(window.columns["fraction"][row])
        log_size = float(x[_PLACE["log_size"]])
        nominal = np.exp(log_size) * PIVOT_S
        kind, device = window.columns["kind"][row] or "", window.columns["device"][row]
        if np.isnan(window.columns["nominal_s"][row]) and fraction > 0.0:
            # The parts ran one after the other: how long each took nobody could see.
            continue
        if fraction < 1.0:
            speed = float(columns.node_cpu_speed[int(window.columns["node"][row])])
            factor = float(window.columns["cpu_s"][row]) / (1.0 - fraction) * speed / nominal
            if factor > _SHORTEST_S:
                kinds.append(kind)
                devices.append(CPU)
                sizes.append(log_size)
                factors.append(np.log(factor))
        if fraction > 0.0 and device in link:
            moved = float(np.expm1(x[_PLACE["log_memory"]])) / link[device]
            factor = ((float(window.columns["gpu_s"][row]) - launch[device]) / fraction - moved) / float(np.exp(x[_PLACE["log_nominal"]]))
            if factor > _SHORTEST_S:
                kinds.append(kind)
                devices.append(device)
                sizes.append(log_size)
                factors.append(np.log(factor))
    return Outcomes(tuple(kinds), tuple(devices), np.array(sizes, dtype=np.float64), np.array(factors, dtype=np.float64))


def train(model: str, window: TrainingWindow, scheduler: str, cluster: Cluster, store: ModelStore, rows: int) -> Trained:
    """Bring a model up to date and keep it in the store, without promoting it.

    Parameters
    ----------
    model : str
        ``NAME@VERSION`` that the lane uses.
    window : TrainingWindow
    scheduler : str
    cluster : Cluster
    store : ModelStore
    rows : int
        Outcomes that count at most.

    Raises
    ------
    ModelError
        If there is nothing to learn from, the model is gone, or the store cannot be written. The lane goes on with the model it has.
    """
    outcomes = outcomes_of_window(window, scheduler, cluster)
    if not len(outcomes):
        raise ModelError(f"model {model}: no outcome of {scheduler} among the newest {len(window)} rows; expected some to learn from")
    known = store.find(model)
    held_out = judge(known, outcomes, window=rows)
    made = retrain(known, outcomes, window=rows)
    version = store.add(made, leaves_in_use=True)
    kept = store.get(made.card.name, version)
    return Trained(f"{made.card.name}@{version}", kept.card.arrays_sha256, min(len(outcomes), rows), held_out)


def prune(store: ModelStore, name: str, kept: int, needed: Collection[str]) -> list[str]:
    """Delete old versions that retraining made.

    Parameters
    ----------
    store : ModelStore
    name : str
        Of the model.
    kept : int
        Newest versions that stay.
    needed : collection of str
        ``NAME@VERSION`` that must stay besides.

    Returns
    -------
    list of str
        What was deleted. Versions that the user trained, promoted, or got with the package stay.
    """
    promoted = {event.version for event in store.history(name)} | {store.current(name)}
    gone = []
    for version, path in list(store.versions(name).items())[:-kept]:
        spelled = f"{name}@{version}"
        if spelled in needed or version in promoted or path.parent.parent != store.folders[-1]:
            continue
        if "retrained_on" in store.get(name, version).card.training:
            store.remove(name, version)
            gone.append(spelled)
    return gone


class Retrainer:
    """Makes the models of a run anew while it goes on, as often as it was asked to.

    Parameters
    ----------
    service : SimulationDataService
    settings : LiveSettings
    models : RunModels
    use : callable
        Lets a run go on with another model; raises `NotRunningError` if it has ended.
    tell : callable
        Shows what has become of the training of a run.
    """

    def __init__(
        self,
        service: SimulationDataService,
        settings: LiveSettings,
        models: RunModels,
        use: Callable[[PresentRun, Change, Chosen], Awaitable[None]],
        tell: Callable[[PresentRun], None],
    ) -> None:
        self._service = service
        self._settings = settings
        self._models = models
        self._use = use
        self._tell = tell

    def maybe_start(self, run: PresentRun) -> None:
        """Start a training beside the run if it is due."""
        every = run.request.retrain_every
        if every is None or run.learning is not None or run.group.stream.whole:
            return
        last = run.retraining.last_at_tasks or 0
        if run.ledger.processed - last < every or time.monotonic() - run.learned_at < self._settings.training_pause_s:
            return
        run.learned_at = time.monotonic()
        run.retraining = replace(run.retraining, state="training", last_at_tasks=run.ledger.processed)
        run.learning = asyncio.create_task(self._learn(run), name="training")
        self._tell(run)

    async def retire(self, run: PresentRun) -> None:
        """Say in the registry that a run that has ended uses no model any more."""
        if not run.trainings:
            return
        try:
            await self._service.retire_models(run_id=run.record.id)
        except StorageError as error:
            _LOG.warning("run %d: its models could not be marked as retired in the registry: %s", run.record.id, error)

    async def _learn(self, run: PresentRun) -> None:
        wanted = [(lane.policy, lane.model) for lane in run.group.lanes.values() if lane.model is not None]
        errors = []
        for policy, model in wanted:
            began_s = time.monotonic()
            try:
                await self._learn_one(run, policy, model, len(wanted))
            except NotRunningError:
                return
            except Exception as error:  # noqa: BLE001 - logged, and shown as the training's state
                # Whatever goes wrong in a training, the model in use stays, and the run goes on.
                _LOG.warning("training of %s failed: %s", policy, error)
                errors.append(f"{policy}: {error}")
                self._service.observer.trained(policy, time.monotonic() - began_s, "failed")
                with suppress(StorageError):
                    await self._service.add_model(
                        model.partition("@")[0], "failed", rows=0, source="none", run_id=run.record.id, message=str(error)[:500]
                    )
        state, text = ("failed", "; ".join(errors)) if errors else ("waiting", None)
        run.retraining = replace(run.retraining, state=state, last_error=text)
        run.learning = None
        self._tell(run)

    async def _learn_one(self, run: PresentRun, policy: str, model: str, lanes: int) -> None:
        rows = self._settings.training_rows
        window = await self._service.training_window(run.record.id, rows * lanes)
        if not len(window):
            # The database answers, but the run's first rows are still on their way to it: the next time.
            return
        began_s = time.monotonic()
        trained = await asyncio.to_thread(train, model, window, policy, run.group.stream.cluster, self._models.of_run(run.record.id), rows)
        chosen = await asyncio.to_thread(self._models.choose, run.group.stream, run.request, policy, trained.model, run.record.id)
        if policy not in run.group.lanes:
            return
        await self._use(run, Change(0.0, "model", policy, trained.model), chosen)
        self._service.observer.trained(policy, time.monotonic() - began_s, "in_use")
        run.retraining = replace(run.retraining, versions=(*run.retraining.versions, trained.model)[-MOST_VERSIONS:])
        held_out = trained.held_out
        training = Training(
            policy=policy,
            before=model,
            model=trained.model,
            at_tasks=run.retraining.last_at_tasks or 0,
            time_s=run.group.time_s,
            rows=trained.rows,
            held_out=held_out.outcomes,
            error_before=held_out.before,
            error_after=held_out.after,
        )
        run.trainings = (*run.trainings, training)[-MOST_TRAININGS:]
        await self._register(run, policy, trained, window.source)
        await asyncio.to_thread(self._prune, run, trained.model.partition("@")[0])

    async def _register(self, run: PresentRun, policy: str, trained: Trained, source: str) -> None:
        name, _, version = trained.model.partition("@")
        try:
            await self._service.add_model(
                name,
                "in_use",
                rows=trained.rows,
                source=source,
                run_id=run.record.id,
                version=int(version),
                sha256=trained.sha256,
                details={
                    "policy": policy,
                    "time_s": run.group.time_s,
                    "tasks_processed": run.ledger.processed,
                    "held_out": trained.held_out.outcomes,
                    "error_before": trained.held_out.before,
                    "error_after": trained.held_out.after,
                },
            )
            used = [lane.model.partition("@") for lane in run.group.lanes.values() if lane.model is not None]
            await self._service.retire_models(name=name, but=[int(number) for each, _, number in used if each == name])
        except StorageError as error:
            # The model itself is in its store, and the swap in the run's state: only the list in the database lacks it.
            _LOG.warning("model %s could not be entered into the registry: %s", trained.model, error)

    def _prune(self, run: PresentRun, name: str) -> None:
        """Delete old versions of a model, but for those that the run may still need."""
        needed = {lane.model for lane in run.group.lanes.values() if lane.model is not None} | set(run.options["models"].values())
        for head in self._service.journals.kept_heads(run.record.id).values():
            needed |= {str(lane["model"]) for lane in head["group"]["lanes"]}
        prune(self._models.store, name, self._settings.models_kept, needed)
