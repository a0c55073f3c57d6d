"""The run time of the original system: linear speed-up on the GPU, one part after the other, every GPU alike.

With ``d = (size / 1000) ** 1.5 / (c + 0.5)`` a task takes ``f (d / (1 + 3 c) + memory / 16000) + (1 - f) d`` seconds.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine_cases import gpu, node, nodes
from hybrid_ml_scheduler.core.decision import Decision
from hybrid_ml_scheduler.core.workload import no_edges
from hybrid_ml_scheduler.engine.simulation import Simulation
from hybrid_ml_scheduler.workloads.serial_tasks import MAX_INTENSITY, MAX_SIZE, MIN_INTENSITY, MIN_SIZE
from hybrid_ml_scheduler.workloads.synthetic import generate

N_TASKS = 10_000


def test_ten_thousand_tasks_take_as_long_as_in_the_original_system() -> None:
    drawn = generate("serial", seed=7, n_tasks=N_TASKS)
    # Each alone on a node of its own, all from time 0 on, so that finish times are run times to the last digit.
    tasks = replace(drawn.tasks, arrival_s=np.zeros(N_TASKS), **no_edges(N_TASKS))
    cluster = nodes(*[node(1, gpu(speed, launch_s=0.5)) for speed in np.tile((1.0, 8.0, 20.0, 50.0), N_TASKS // 4)])
    rng = np.random.default_rng(7)
    fraction = np.where(rng.random(N_TASKS) < 0.1, rng.integers(0, 2, N_TASKS), rng.random(N_TASKS))

    simulation = Simulation(replace(drawn, tasks=tasks), cluster)
    assert simulation.next_event()
    for row in range(N_TASKS):
        simulation.start(Decision(row, node=row, gpus=(0,) if fraction[row] > 0 else (), fraction=fraction[row]))
    while simulation.next_event():
        pass

    size, c = tasks.size, tasks.compute_intensity
    assert size is not None
    assert c is not None
    assert MIN_SIZE <= size.min() < 101
    assert size.max() == MAX_SIZE
    assert (c.min(), c.max()) == (MIN_INTENSITY, MAX_INTENSITY)
    d = (size / 1000) ** 1.5 / (c + 0.5)
    expected = fraction * (d / (1 + 3 * c) + tasks.memory_mb / 16000) + (1 - fraction) * d
    np.testing.assert_allclose(simulation.schedule("by hand").finish_s, expected, rtol=1e-12, atol=0)
