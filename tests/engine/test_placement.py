from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_ml_scheduler.core.errors import PolicyError
from hybrid_ml_scheduler.engine import placement
from hybrid_ml_scheduler.engine.codes_placement import PlacementCode
from hybrid_ml_scheduler.engine.placement import (
    NodeState,
    PlacementRule,
    Request,
    TypicalRequests,
    fits,
    give_back,
    node_fragment,
    node_state,
    place,
    placement_rule,
    request_classes,
    score_node,
    take,
    typical_requests,
)
from placement_reference import Ask, Machine, choose, fragment, score

SHARES = st.sampled_from([10, 250, 300, 500, 700, 1000])
ASKS = st.one_of(
    st.builds(Ask, st.sampled_from([0, 1000, 4000, 12000]), st.sampled_from([0, 8]), st.just(0), st.just(0)),
    st.builds(Ask, st.sampled_from([0, 1000, 2500, 4000, 12000]), st.sampled_from([0, 8, 30]), st.just(1), SHARES),
    st.builds(Ask, st.sampled_from([0, 1000, 8000]), st.sampled_from([0, 8]), st.integers(2, 4), st.just(1000)),
)
MACHINES = st.builds(
    Machine, st.sampled_from([0, 4000, 16000, 32000]), st.sampled_from([16, 64, 1 << 60]), st.integers(0, 4).map(lambda gpus: [1000] * gpus)
)
CLUSTERS = st.lists(MACHINES, min_size=1, max_size=5)
DETERMINISTIC = [code for code in PlacementCode if code is not PlacementCode.RANDOM]


def columns(asks: list[Ask]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(np.array(column, dtype=np.int64) for column in zip(*[(ask.cores, ask.gpus, ask.share) for ask in asks], strict=True))


def build(machines: list[Machine]) -> NodeState:
    gpu_ptr = np.concatenate(([0], np.cumsum([len(machine.gpus) for machine in machines]))).astype(np.int64)
    cores, memory = np.array([[machine.cores, machine.memory] for machine in machines], dtype=np.int64).T
    return node_state(cores.copy(), memory.copy(), gpu_ptr, np.full(gpu_ptr[-1], 1000, dtype=np.int64))


def typical_pairs(typical: TypicalRequests) -> list[tuple[Ask, int]]:
    return [(Ask(int(c), 0, int(g), int(s)), int(w)) for c, g, s, w in zip(*typical, strict=True)]


def resources(state: NodeState) -> list[list[int]]:
    return [np.asarray(array).ravel().tolist() for array in (*state[:2], state.gpu_free_milli, state.gpu_totals, state.shapes)]


def gpus_of(mask: int) -> list[int]:
    return [k for k in range(62) if mask >> k & 1]


def walk(code: PlacementCode, machines: list[Machine], asks: list[Ask], leave: list[int], n_classes: int) -> None:
    """Place and sometimes end tasks, and compare every decision with the plain definitions."""
    state = build(machines)
    classes = request_classes(*columns(asks)) if n_classes else np.full(len(asks), -1)
    typical = typical_requests(*columns(asks))
    pairs = typical_pairs(typical)
    rule = placement_rule(code, state, n_classes, typical)
    empty = resources(state)
    running: list[tuple[int, int, Request, Ask]] = []
    cursor = 0
    for ask, task_class, leaving in zip(asks, classes, leave, strict=True):
        request = Request(ask.cores, ask.memory, ask.gpus, ask.share, int(task_class))
        expected = choose(code, ask, machines, pairs, cursor)
        scores = [score_node(node, request, state, rule) for node in range(len(machines))]
        assert scores == [score(code, machine, ask, machines, pairs) if machine.fits(ask) else -1 for machine in machines]
        node, mask = place(request, state, rule)
        if expected is None:
            assert (node, mask) == (-1, 0)
        else:
            assert (node, gpus_of(mask)) == expected
            cursor = (node + 1) % len(machines) if code is PlacementCode.ROUND_ROBIN else 0
            take(node, mask, request, state)
            machines[node].add(ask, expected[1])
            running.append((node, mask, request, ask))
        if running and leaving >= 0:
            where, held, old, old_ask = running.pop(leaving % len(running))
            give_back(where, held, old, state)
            machines[where].remove(old_ask, gpus_of(held))
        for index, machine in enumerate(machines):
            free = state.gpu_free_milli[state.gpu_ptr[index] : state.gpu_ptr[index + 1]]
            assert min(state.free_cores_milli[index], state.free_mem_bytes[index], *free, 0) == 0
            assert free.tolist() == machine.gpus
            assert node_fragment(index, state, rule) == fragment(machine.cores, machine.gpus, pairs) * rule.total_weight
    for where, held, old, _ in running:
        give_back(where, held, old, state)
    assert resources(state) == empty


@pytest.mark.parametrize("code", DETERMINISTIC)
@given(machines=CLUSTERS, asks=st.lists(ASKS, min_size=1, max_size=20), data=st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_every_rule_decides_as_its_plain_definition(code: PlacementCode, machines: list[Machine], asks: list[Ask], data: st.DataObject) -> None:
    leave = data.draw(st.lists(st.integers(-2, 19), min_size=len(asks), max_size=len(asks)))
    remembered = data.draw(st.booleans())
    walk(code, machines, asks, leave, len(asks) if remembered else 0)


@pytest.mark.parametrize("code", DETERMINISTIC)
@pytest.mark.parametrize("seed", range(12))
def test_every_rule_decides_as_its_plain_definition_on_crowded_clusters(code: PlacementCode, seed: int) -> None:
    # Hypothesis prefers small cases; here nodes hold many tasks, and every third arrival sees one leave.
    rng = np.random.default_rng(seed)
    machines = [Machine(int(rng.choice([16, 32, 64])) * 1000, int(rng.choice([64, 1 << 60])), [1000] * int(rng.integers(1, 5))) for _ in range(5)]
    asks = []
    for _ in range(60):
        cores, memory = int(rng.choice([500, 1000, 2500, 4000])), int(rng.choice([0, 8]))
        gpus = int(rng.choice([0, 1, 2, 3], p=[0.1, 0.75, 0.1, 0.05]))
        share = int(rng.choice([50, 100, 250, 300, 500, 700, 1000])) if gpus == 1 else 1000 * (gpus > 0)
        asks.append(Ask(cores, memory, gpus, share))
    leave = np.where(rng.random(60) < 1 / 3, rng.integers(0, 1000, size=60), -1)
    walk(code, machines, asks, leave.tolist(), len(asks) if seed % 2 else 0)


@given(machines=CLUSTERS, asks=st.lists(ASKS, min_size=1, max_size=20), seed=st.integers(0, 2**64 - 1))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_random_stays_within_capacity_and_repeats_with_its_seed(machines: list[Machine], asks: list[Ask], seed: int) -> None:
    runs = []
    for _ in range(2):
        state = build(machines)
        rule = placement_rule(PlacementCode.RANDOM, state, seed=seed)
        decisions = []
        for ask in asks:
            request = Request(ask.cores, ask.memory, ask.gpus, ask.share)
            node, mask = place(request, state, rule)
            assert (node >= 0) == any(fits(index, request, state) for index in range(len(machines)))
            if node >= 0:
                assert len(gpus_of(mask)) == ask.gpus
                take(node, mask, request, state)
            assert state.free_cores_milli.min() >= 0
            assert state.free_mem_bytes.min() >= 0
            assert state.gpu_free_milli.min(initial=0) >= 0
            decisions.append((node, mask))
        runs.append(decisions)
    assert runs[0] == runs[1]


def test_random_reaches_every_node_and_gpu_equally_often() -> None:
    state = build([Machine(1000, 0, [1000] * 2), Machine(0, 0, [1000] * 4), Machine(1000, 0, [1000] * 2)])
    rule = placement_rule(PlacementCode.RANDOM, state, seed=5)
    found = [place(Request(1000, 0, 1, 400), state, rule) for _ in range(4000)]
    counts = {decision: found.count(decision) for decision in set(found)}
    assert set(counts) == {(0, 1), (0, 2), (2, 1), (2, 2)}
    # 4,000 draws over four: 1,000 each with a standard deviation of 27.
    assert all(abs(count - 1000) < 110 for count in counts.values())


def test_random_numbers_are_splitmix64() -> None:
    rng = np.array([1234567], dtype=np.uint64)
    words = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [placement._random_below(1_000_000, rng) for _ in words] == [(word >> 32) * 1_000_000 >> 32 for word in words]


def test_shares_of_two_tasks_never_meet_on_one_gpu_beyond_the_whole() -> None:
    state = build([Machine(8000, 0, [1000])])
    rule = placement_rule(PlacementCode.FIRST_FIT, state)
    request = Request(0, 0, 1, 600)
    take(*place(request, state, rule), request, state)
    assert place(request, state, rule) == (-1, 0)


def test_fgd_example_of_the_paper_leaves_a_whole_gpu() -> None:
    # Two half-full GPUs and tasks that want a half or a whole: filling up a half-full GPU keeps the idle one whole.
    state = build([Machine(8000, 0, [1000, 1000])])
    typical = TypicalRequests(*np.array([[1000, 1000], [1, 1], [500, 1000], [1, 1]], dtype=np.int64))
    rule = placement_rule(PlacementCode.FGD, state, typical=typical)
    half = Request(1000, 0, 1, 500)
    take(0, 1, half, state)
    assert node_fragment(0, state, rule) == 500
    assert place(half, state, rule) == (0, 1)


def test_fgd_needs_something_to_expect() -> None:
    with pytest.raises(PolicyError, match="typical tasks"):
        placement_rule(PlacementCode.FGD, build([Machine(1000, 0, [1000])]))


def test_remembered_scores_leave_host_memory_aside() -> None:
    state = build([Machine(8000, 10, [1000]), Machine(9000, 100, [1000])])
    rule = placement_rule(PlacementCode.BEST_FIT, state, n_classes=1)
    assert place(Request(1000, 5, 1, 500, 0), state, rule)[0] == 0
    assert place(Request(1000, 50, 1, 500, 0), state, rule)[0] == 1
    assert place(Request(1000, 500, 1, 500, 0), state, rule)[0] == -1
    assert place(Request(1000, 5, 1, 500, 0), state, rule)[0] == 0


def test_request_classes_rank_by_frequency() -> None:
    asks = [Ask(1, 0, 1, 500), Ask(2, 0, 1, 500), Ask(2, 9, 1, 500), Ask(2, 0, 0, 0)]
    assert request_classes(*columns(asks)).tolist() == [1, 0, 0, 2]


def test_request_classes_beyond_the_limit_are_not_remembered() -> None:
    cores = np.concatenate([np.arange(600), np.arange(100, 600)])
    ones = np.ones(len(cores), dtype=np.int64)
    classes = request_classes(cores, ones, 1000 * ones)
    assert sorted(set(classes.tolist())) == [-1, *range(placement.MAX_CACHED_CLASSES)]
    assert (classes[:100] >= 0).sum() == placement.MAX_CACHED_CLASSES - 500


def test_typical_requests_stop_once_they_cover_the_part_asked_for() -> None:
    asks = [Ask(4, 0, 1, 500)] * 5 + [Ask(2, 0, 1, 1000)] * 2 + [Ask(3, 0, 0, 0)] * 2 + [Ask(9, 0, 2, 1000)]
    typical = typical_requests(*columns(asks), popularity=0.9)
    assert typical_pairs(typical) == [(Ask(4, 0, 1, 500), 5), (Ask(3, 0, 0, 0), 2), (Ask(2, 0, 1, 1000), 2)]
    assert len(typical_requests(*columns(asks), popularity=0.901).weight) == 4


def test_state_shares_the_given_arrays() -> None:
    machines = [Machine(1000, 5, []), Machine(2000, 5, [1000, 1000]), Machine(0, 5, [])]
    state = build(machines)
    assert state.capacity.tolist() == [[1000, 0], [2000, 2000], [0, 0]]
    assert state.gpu_totals.tolist() == [[0, 0, 0], [2000, 1000, 2], [0, 0, 0]]
    free = np.array([5000], dtype=np.int64)
    one = node_state(free, np.array([1], dtype=np.int64), np.array([0, 0], dtype=np.int64), np.zeros(0, dtype=np.int64))
    rule: PlacementRule = placement_rule(PlacementCode.FIRST_FIT, one)
    request = Request(2000, 1, 0, 0)
    assert place(request, one, rule) == (0, 0)
    take(0, 0, request, one)
    assert free.tolist() == [3000]
