"""Placement of rigid tasks on nodes with GPUs: does it fit, where does it go, take it, give it back.

A set of GPUs of one node is a bit mask: bit ``k`` is the ``k``-th GPU of that node. Scores are whole numbers from 0 to 100, larger is better, and the
first node of the largest score wins: this is how the published code of the FGD paper decides [1]_; docs/gpu-sharing.md says what it does in detail.

References
----------
.. [1] Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX ATC 2023.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.errors import PolicyError
from hybrid_ml_scheduler.core.workload import MILLI, IntArray
from hybrid_ml_scheduler.engine.codes_placement import PlacementCode
from hybrid_ml_scheduler.engine.compiled import compiled

_FIRST_FIT = int(PlacementCode.FIRST_FIT)
_ROUND_ROBIN = int(PlacementCode.ROUND_ROBIN)
_RANDOM = int(PlacementCode.RANDOM)
_BEST_FIT = int(PlacementCode.BEST_FIT)
_WORST_FIT = int(PlacementCode.WORST_FIT)
_LEAST_LOADED = int(PlacementCode.LEAST_LOADED)
_DOT_PRODUCT = int(PlacementCode.DOT_PRODUCT)
_GPU_PACKING = int(PlacementCode.GPU_PACKING)
_GPU_CLUSTERING = int(PlacementCode.GPU_CLUSTERING)
_FGD = int(PlacementCode.FGD)

# Columns of NodeState.gpu_totals.
_FREE, _LARGEST, _WHOLE = 0, 1, 2
# Columns of NodeState.shapes: how many kinds of GPU tasks the node runs, then how many tasks of each kind (shares, 1 GPU, 2 GPUs, ...).
_KINDS, _SHARES = 0, 1

MAX_CACHED_CLASSES = 512
"""Rules remember their scores for this many kinds of requests, the most frequent ones; others are scored anew each time."""

CPU_CLOSED, GPU_CLOSED, NODE_CLOSED = 1, 2, 4
"""Somebody ahead in the queue waits for the node's cores or memory, or for its GPUs; or the request cannot use the node yet."""

_SPLITMIX_STEP = np.uint64(0x9E3779B97F4A7C15)
_SPLITMIX_A = np.uint64(0xBF58476D1CE4E5B9)
_SPLITMIX_B = np.uint64(0x94D049BB133111EB)
_SHIFT_30, _SHIFT_27, _SHIFT_31, _SHIFT_32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)


class Request(NamedTuple):
    """What a rigid task asks for; plain integers.

    Attributes
    ----------
    cores_milli, mem_bytes : int
        Cores in thousandths and host memory in bytes; >= 0.
    gpus : int
        GPUs of one node; >= 0.
    share_milli : int
        Share of each GPU in thousandths: 1000 the whole GPU, smaller only if ``gpus`` is 1, 0 if ``gpus`` is 0.
    task_class : int
        Its row of `request_classes`, under which a rule remembers its scores; -1 for none.
    """

    cores_milli: int
    mem_bytes: int
    gpus: int
    share_milli: int
    task_class: int = -1


class NodeState(NamedTuple):
    """What is free on every node, with sums kept beside it; m nodes, g GPUs.

    Attributes
    ----------
    free_cores_milli, free_mem_bytes : ndarray of int64, shape (m,)
        Free cores in thousandths and free host memory in bytes.
    gpu_ptr : ndarray of int64, shape (m + 1,)
        GPUs of node ``i`` are ``gpu_ptr[i]:gpu_ptr[i + 1]``.
    gpu_free_milli : ndarray of int64, shape (g,)
        Free share of every GPU, 0 to 1000.
    gpu_totals : ndarray of int64, shape (m, 3)
        Free GPU milli of the node, of its emptiest GPU, and how many of its GPUs are wholly free.
    shapes : ndarray of int64, shape (m, 2 + most GPUs of a node)
        Number of distinct GPU shapes that run there; tasks with a share of a GPU; tasks with 1, 2, ... whole GPUs.
    capacity : ndarray of int64, shape (m, 2)
        Cores in thousandths and GPU milli of the empty node.
    largest : ndarray of int64, shape (2,)
        Largest of each over all nodes.
    stamp : ndarray of int32, shape (m,)
        Counts the changes of the node; what was derived from it is stale when the stamp differs.
    closed : ndarray of int64, shape (m,)
        Bits of `CPU_CLOSED`, `GPU_CLOSED` and `NODE_CLOSED`: parts of the node that the next request may not have although they are free.
    """

    free_cores_milli: IntArray
    free_mem_bytes: IntArray
    gpu_ptr: IntArray
    gpu_free_milli: IntArray
    gpu_totals: IntArray
    shapes: IntArray
    capacity: IntArray
    largest: IntArray
    stamp: NDArray[np.int32]
    closed: IntArray


class PlacementRule(NamedTuple):
    """One rule with everything it remembers during one run; J distinct GPU shapes, B distinct core counts, C classes of requests, m nodes.

    Attributes
    ----------
    code : int
        `PlacementCode`.
    rng : ndarray of uint64, shape (1,)
        State of its random numbers: one word of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
    cursor : ndarray of int64, shape (1,)
        Where round robin goes on looking.
    score : ndarray of int8, shape (C, m)
        Score of each class on each node, host memory aside; -1 where it does not fit.
    score_stamp : ndarray of int32, shape (C, m)
        Node stamp at which that score was computed; -1 for never.
    share, gpus : ndarray of int64, shape (J,)
        GPU shapes of the typical tasks, largest share first.
    core_steps : ndarray of int64, shape (B,)
        Distinct cores in thousandths of the typical GPU tasks, ascending.
    weight : ndarray of int64, shape (B + 1, J)
        ``weight[b, j]`` typical tasks of shape ``j`` need at most ``core_steps[b - 1]`` cores.
    total_weight : int
        Number of typical tasks, those without GPU included.
    fragment : ndarray of int64, shape (m,)
        Expected fragment of each node, in GPU milli times ``total_weight``.
    fragment_stamp : ndarray of int32, shape (m,)
        Node stamp at which it was computed.
    scratch : ndarray of int64, shape (most GPUs of a node,)
        Room for sorting.
    """

    code: int
    rng: NDArray[np.uint64]
    cursor: IntArray
    score: NDArray[np.int8]
    score_stamp: NDArray[np.int32]
    share: IntArray
    gpus: IntArray
    core_steps: IntArray
    weight: IntArray
    total_weight: int
    fragment: IntArray
    fragment_stamp: NDArray[np.int32]
    scratch: IntArray


class TypicalRequests(NamedTuple):
    """The requests that FGD expects, most frequent first; all ndarrays of int64 of one length: cores, GPUs, share of each, number of tasks."""

    cores_milli: IntArray
    gpus: IntArray
    share_milli: IntArray
    weight: IntArray


def node_state(free_cores_milli: IntArray, free_mem_bytes: IntArray, gpu_ptr: IntArray, gpu_free_milli: IntArray) -> NodeState:
    """Build the state of an empty cluster around the given arrays, which are shared, not copied.

    Parameters
    ----------
    free_cores_milli, free_mem_bytes, gpu_ptr, gpu_free_milli : ndarray of int64
        As in `NodeState`, with everything free.

    Returns
    -------
    NodeState
    """
    n_nodes = len(free_cores_milli)
    counts = np.diff(gpu_ptr)
    whole = np.add.reduceat(np.append(gpu_free_milli, 0), gpu_ptr[:-1]) if n_nodes else np.zeros(0, dtype=np.int64)
    free = np.where(counts > 0, whole, 0)
    most = int(counts.max(initial=0))
    return NodeState(
        free_cores_milli=free_cores_milli,
        free_mem_bytes=free_mem_bytes,
        gpu_ptr=gpu_ptr,
        gpu_free_milli=gpu_free_milli,
        gpu_totals=np.stack([free, np.where(counts > 0, MILLI, 0), counts], axis=1).astype(np.int64),
        shapes=np.zeros((n_nodes, 2 + most), dtype=np.int64),
        capacity=np.stack([free_cores_milli, free], axis=1).astype(np.int64),
        largest=np.array([free_cores_milli.max(initial=0), free.max(initial=0)], dtype=np.int64),
        stamp=np.zeros(n_nodes, dtype=np.int32),
        closed=np.zeros(n_nodes, dtype=np.int64),
    )


def request_classes(cores_milli: IntArray, gpus: IntArray, share_milli: IntArray) -> IntArray:
    """Rank the distinct requests by frequency, so that rules can remember their scores.

    Parameters
    ----------
    cores_milli, gpus, share_milli : ndarray of int64, shape (n,)
        One request per row; host memory matters to no score.

    Returns
    -------
    ndarray of int64, shape (n,)
        Class of each row, 0 for the most frequent; -1 for those beyond `MAX_CACHED_CLASSES`.
    """
    requests = np.stack([cores_milli, gpus, share_milli], axis=1)
    _, inverse, counts = np.unique(requests, axis=0, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    rank[rank >= MAX_CACHED_CLASSES] = -1
    return rank[inverse.reshape(-1)]


def typical_requests(cores_milli: IntArray, gpus: IntArray, share_milli: IntArray, popularity: float = 0.95) -> TypicalRequests:
    """Keep the most frequent requests until they make up the given part of all.

    Parameters
    ----------
    cores_milli, gpus, share_milli : ndarray of int64, shape (n,)
        The tasks that stand for those to come; n > 0.
    popularity : float
        Part of the tasks to cover, 0 to 1; 0.95 in the published experiments.

    Returns
    -------
    TypicalRequests
        Equally frequent requests: more cores first, then larger shares, then more GPUs (the published code's order).
    """
    requests, counts = np.unique(np.stack([cores_milli, share_milli, gpus], axis=1), axis=0, return_counts=True)
    order = np.lexsort((requests[:, 2], requests[:, 1], requests[:, 0], counts))[::-1]
    requests, counts = requests[order], counts[order]
    kept = int(np.searchsorted(np.cumsum(counts), popularity * counts.sum(), side="left")) + 1
    columns = np.ascontiguousarray(requests[:kept].T.astype(np.int64))
    return TypicalRequests(cores_milli=columns[0], gpus=columns[2], share_milli=columns[1], weight=counts[:kept].astype(np.int64))


NOTHING_TYPICAL = TypicalRequests(*(np.zeros(0, dtype=np.int64) for _ in range(4)))
"""For rules that expect nothing: every rule but FGD, unless fragmentation is measured."""


def placement_rule(
    code: PlacementCode, state: NodeState, n_classes: int = 0, typical: TypicalRequests = NOTHING_TYPICAL, seed: int = 0
) -> PlacementRule:
    """Lay out what a rule needs for one run.

    Parameters
    ----------
    code : PlacementCode
        The rule.
    state : NodeState
        The cluster.
    n_classes : int
        One more than the largest class of `request_classes`; 0 to remember no scores.
    typical : TypicalRequests
        What FGD, or the measure of fragmentation, expects to come.
    seed : int
        Seed of its random choices.

    Returns
    -------
    PlacementRule

    Raises
    ------
    PolicyError
        If FGD is given nothing to expect.
    """
    if code is PlacementCode.FGD and not len(typical.weight):
        raise PolicyError("placement rule fgd was given no typical tasks; expected those that stand for the tasks to come")
    n_nodes = len(state.stamp)
    with_gpu = typical.gpus > 0
    shapes, shape = np.unique(np.stack([-typical.share_milli, typical.gpus], axis=1)[with_gpu], axis=0, return_inverse=True)
    steps, step = np.unique(typical.cores_milli[with_gpu], return_inverse=True)
    weight = np.zeros((len(steps) + 1, len(shapes)), dtype=np.int64)
    np.add.at(weight, (step.reshape(-1) + 1, shape.reshape(-1)), typical.weight[with_gpu])
    return PlacementRule(
        code=int(code),
        rng=np.array([seed & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64),
        cursor=np.zeros(1, dtype=np.int64),
        score=np.full((n_classes, n_nodes), -1, dtype=np.int8),
        score_stamp=np.full((n_classes, n_nodes), -1, dtype=np.int32),
        share=np.ascontiguousarray(-shapes[:, 0]),
        gpus=np.ascontiguousarray(shapes[:, 1]),
        core_steps=steps,
        weight=np.cumsum(weight, axis=0),
        total_weight=int(typical.weight.sum()),
        fragment=np.zeros(n_nodes, dtype=np.int64),
        fragment_stamp=np.full(n_nodes, -1, dtype=np.int32),
        scratch=np.zeros(state.shapes.shape[1], dtype=np.int64),
    )


@compiled
def _random_below(limit: int, rng: NDArray[np.uint64]) -> int:
    """Draw a whole number from 0 to ``limit - 1``; 1 <= limit < 2**32. The state advances by one step."""
    rng[0] += _SPLITMIX_STEP
    word = rng[0]
    word = (word ^ (word >> _SHIFT_30)) * _SPLITMIX_A
    word = (word ^ (word >> _SHIFT_27)) * _SPLITMIX_B
    word ^= word >> _SHIFT_31
    return int(((word >> _SHIFT_32) * np.uint64(limit)) >> _SHIFT_32)


@compiled
def is_open(node: int, request: Request, state: NodeState) -> bool:
    """Say whether nothing of what the request needs on this node is closed to it."""
    closed = state.closed[node]
    if closed == 0:
        return True
    if closed & NODE_CLOSED or (request.gpus > 0 and closed & GPU_CLOSED):
        return False
    return bool(closed & CPU_CLOSED == 0 or (request.cores_milli == 0 and request.mem_bytes == 0))


@compiled
def fits(node: int, request: Request, state: NodeState) -> bool:
    """Say whether the request fits this node now and may have it."""
    return is_open(node, request, state) and has_room(node, request, state)


@compiled
def has_room(node: int, request: Request, state: NodeState) -> bool:
    """Say whether what the request needs is free on this node."""
    if state.free_cores_milli[node] < request.cores_milli or state.free_mem_bytes[node] < request.mem_bytes:
        return False
    if request.gpus == 0:
        return True
    if request.share_milli < MILLI:
        return bool(state.gpu_totals[node, _LARGEST] >= request.share_milli)
    return bool(state.gpu_totals[node, _WHOLE] >= request.gpus)


@compiled
def _add(node: int, gpu_mask: int, sign: int, request: Request, state: NodeState) -> None:
    """Add ``sign`` times the request to what is free, and bring the sums up to date."""
    state.free_cores_milli[node] += sign * request.cores_milli
    state.free_mem_bytes[node] += sign * request.mem_bytes
    first = state.gpu_ptr[node]
    gpu = first
    while gpu_mask >> (gpu - first) != 0:
        if (gpu_mask >> (gpu - first)) & 1:
            state.gpu_free_milli[gpu] += sign * request.share_milli
        gpu += 1
    note(node, sign, request, state)


@compiled
def note(node: int, sign: int, request: Request, state: NodeState) -> None:
    """Bring the sums of a node up to date after what is free changed by ``sign`` times the request."""
    state.stamp[node] += 1
    if request.gpus == 0:
        return
    free, largest, whole = 0, 0, 0
    for gpu in range(state.gpu_ptr[node], state.gpu_ptr[node + 1]):
        left = state.gpu_free_milli[gpu]
        free += left
        largest = max(largest, left)
        if left == MILLI:
            whole += 1
    state.gpu_totals[node, _FREE] = free
    state.gpu_totals[node, _LARGEST] = largest
    state.gpu_totals[node, _WHOLE] = whole
    shape = _SHARES if request.share_milli < MILLI else _SHARES + request.gpus
    present = state.shapes[node, shape] > 0
    state.shapes[node, shape] -= sign
    if present != (state.shapes[node, shape] > 0):
        state.shapes[node, _KINDS] -= sign


@compiled
def take(node: int, gpu_mask: int, request: Request, state: NodeState) -> None:
    """Take the request's resources from these GPUs of this node. The caller knows that they are free."""
    _add(node, gpu_mask, -1, request, state)


@compiled
def give_back(node: int, gpu_mask: int, request: Request, state: NodeState) -> None:
    """Undo `take` with the same arguments; only the node's stamp moves on."""
    _add(node, gpu_mask, 1, request, state)


@compiled
def _whole_gpus(node: int, gpus: int, state: NodeState) -> int:
    """Mask of the first wholly free GPUs."""
    mask = 0
    first = state.gpu_ptr[node]
    for k in range(state.gpu_ptr[node + 1] - first):
        if gpus > 0 and state.gpu_free_milli[first + k] == MILLI:
            mask |= 1 << k
            gpus -= 1
    return mask


@compiled
def _shared_gpu(node: int, share_milli: int, state: NodeState, rule: PlacementRule) -> int:
    """Mask of the GPU that a share goes to: the fullest that has room; for worst fit and least loaded the emptiest; for random any."""
    first = state.gpu_ptr[node]
    n_gpus = state.gpu_ptr[node + 1] - first
    chosen = -1
    if rule.code == _RANDOM:
        candidates = 0
        for k in range(n_gpus):
            if state.gpu_free_milli[first + k] >= share_milli:
                candidates += 1
        skip = _random_below(candidates, rule.rng)
        for k in range(n_gpus):
            if state.gpu_free_milli[first + k] >= share_milli:
                if skip == 0:
                    chosen = k
                skip -= 1
    else:
        sign = -1 if rule.code in (_WORST_FIT, _LEAST_LOADED) else 1
        for k in range(n_gpus):
            left = state.gpu_free_milli[first + k]
            if left >= share_milli and (chosen < 0 or sign * left < sign * state.gpu_free_milli[first + chosen]):
                chosen = k
    return 1 << chosen


@compiled
def _expected_fragment(node: int, gpu_mask: int, request: Request, state: NodeState, rule: PlacementRule) -> int:
    """Fragment that a node would have with the request taken from the GPUs in the mask.

    For each typical task: the whole free GPU share if the task cannot run there (or needs no GPU), else the free share of those GPUs that are too
    full for it. Whole numbers (milli times number of tasks), so that equal fragments compare equal whatever the order of summation.
    """
    first = state.gpu_ptr[node]
    n_gpus = state.gpu_ptr[node + 1] - first
    left_sorted = rule.scratch
    total = 0
    for k in range(n_gpus):
        left = state.gpu_free_milli[first + k]
        if (gpu_mask >> k) & 1:
            left -= request.share_milli
        total += left
        position = k
        while position > 0 and left_sorted[position - 1] < left:
            left_sorted[position] = left_sorted[position - 1]
            position -= 1
        left_sorted[position] = left
    cores_left = state.free_cores_milli[node] - request.cores_milli
    low, high = 0, len(rule.core_steps)
    while low < high:
        middle = (low + high) // 2
        if rule.core_steps[middle] <= cores_left:
            low = middle + 1
        else:
            high = middle
    usable, roomy, roomy_milli = 0, 0, 0
    for shape in range(len(rule.share)):
        while roomy < n_gpus and left_sorted[roomy] >= rule.share[shape]:
            roomy_milli += left_sorted[roomy]
            roomy += 1
        if roomy >= rule.gpus[shape]:
            usable += rule.weight[low, shape] * roomy_milli
    return int(rule.total_weight * total - usable)


@compiled
def node_fragment(node: int, state: NodeState, rule: PlacementRule) -> int:
    """Return the expected fragment of a node, in GPU milli times ``rule.total_weight``: F_n(M) of the FGD paper.

    Parameters
    ----------
    node : int
        Node index.
    state : NodeState
        The cluster now.
    rule : PlacementRule
        Whose typical tasks count; the result is remembered there until the node changes.

    Returns
    -------
    int
        0 to the node's free GPU milli times ``rule.total_weight``.
    """
    if rule.fragment_stamp[node] != state.stamp[node]:
        rule.fragment[node] = _expected_fragment(node, 0, Request(0, 0, 0, 0, -1), state, rule)
        rule.fragment_stamp[node] = state.stamp[node]
    return int(rule.fragment[node])


@compiled
def _fgd_score(node: int, request: Request, state: NodeState, rule: PlacementRule) -> tuple[int, int]:
    """Score and GPU mask: 100 times the sigmoid of the fragment saved, in GPUs, cut to a whole number; among equal GPUs of a node the first."""
    before = node_fragment(node, state, rule)
    unit = -1.0 / (MILLI * rule.total_weight)
    if request.gpus == 0 or request.share_milli == MILLI:
        mask = _whole_gpus(node, request.gpus, state)
        after = _expected_fragment(node, mask, request, state, rule)
        return int(1.0 / (1.0 + math.exp((before - after) * unit)) * 100.0), mask
    first = state.gpu_ptr[node]
    best, mask = -1, 0
    for k in range(state.gpu_ptr[node + 1] - first):
        left = state.gpu_free_milli[first + k]
        seen = left < request.share_milli
        for earlier in range(k):
            seen = seen or state.gpu_free_milli[first + earlier] == left
        if seen:
            continue
        after = _expected_fragment(node, 1 << k, request, state, rule)
        score = int(1.0 / (1.0 + math.exp((before - after) * unit)) * 100.0)
        if score > best:
            best, mask = score, 1 << k
    return best, mask


@compiled
def _part(amount: int, whole: int) -> float:
    return amount / whole if whole > 0 else 0.0


@compiled
def _packing_score(node: int, request: Request, state: NodeState) -> int:
    """GPUs in use (50 to 100, the fuller the better), else idle GPUs of a node in use (33 to 50), else of an idle node (up to 33)."""
    if request.gpus == 0:
        return 0
    first, last = state.gpu_ptr[node], state.gpu_ptr[node + 1]
    whole = int(state.gpu_totals[node, _WHOLE])
    if whole == last - first:
        return max(100 // 3 - whole, whole)
    if request.share_milli == MILLI:
        return max(100 // 2 - request.gpus, 100 // 3)
    fullest = MILLI
    for gpu in range(first, last):
        left = int(state.gpu_free_milli[gpu])
        if request.share_milli <= left < fullest:
            fullest = left
    if fullest == MILLI:
        return 100 // 2 - 1
    return 100 - fullest * 100 // MILLI // 10


@compiled
def _clustering_score(node: int, request: Request, state: NodeState) -> int:
    """Quarters: only tasks of this shape run there; also others; none at all; only others. Within a quarter the fuller the better."""
    if request.gpus == 0:
        return 0
    kinds = state.shapes[node, _KINDS]
    same = state.shapes[node, _SHARES if request.share_milli < MILLI else _SHARES + request.gpus] > 0
    quarter = (75 if kinds == 1 else 50) if same else (25 if kinds == 0 else 0)
    return int(quarter + 25 * (state.largest[1] - state.gpu_totals[node, _FREE]) // state.largest[1])


@compiled
def _resource_score(code: int, node: int, request: Request, state: NodeState) -> int:
    """Score by free cores and free GPUs of the whole node, each relative to the largest node's (for least loaded: to the node's own)."""
    free_cores, free_gpu = state.free_cores_milli[node], state.gpu_totals[node, _FREE]
    left_cores, left_gpu = free_cores - request.cores_milli, free_gpu - request.gpus * request.share_milli
    most_cores, most_gpu = state.largest[0], state.largest[1]
    if code == _DOT_PRODUCT:
        cores = _part(free_cores, most_cores) * _part(request.cores_milli, most_cores)
        gpu = _part(free_gpu, most_gpu) * _part(request.gpus * request.share_milli, most_gpu)
        return int(100.0 * (1.0 - (cores + gpu) / 2.0))
    if code == _LEAST_LOADED:
        own_cores, own_gpu = state.capacity[node, 0], state.capacity[node, 1]
        return int(100.0 * (_part(left_cores, own_cores) + _part(left_gpu, own_gpu)) / (2.0 if own_gpu > 0 else 1.0))
    left_over = _part(left_cores, most_cores) * 0.5 + _part(left_gpu, most_gpu) * 0.5
    return int(left_over * 100.0) if code == _WORST_FIT else int((1.0 - left_over) * 100.0)


@compiled
def score_node(node: int, request: Request, state: NodeState, rule: PlacementRule) -> int:
    """Return the score by which `place` compares nodes, also for explanations.

    Returns
    -------
    int
        -1 if the request has no room; else 0 to 100, larger is better; 0 for first fit, round robin and random, which compare nothing.
    """
    if not has_room(node, request, state):
        return -1
    if rule.code == _FGD:
        return _fgd_score(node, request, state, rule)[0]
    if rule.code == _GPU_PACKING:
        return _packing_score(node, request, state)
    if rule.code == _GPU_CLUSTERING:
        return _clustering_score(node, request, state)
    # The codes below best fit (first fit, round robin, random) compare nothing.
    return _resource_score(rule.code, node, request, state) if rule.code >= _BEST_FIT else 0


@compiled
def _random_node(request: Request, state: NodeState, rule: PlacementRule) -> int:
    candidates = 0
    for node in range(len(state.stamp)):
        if fits(node, request, state):
            candidates += 1
    if candidates == 0:
        return -1
    skip = _random_below(candidates, rule.rng)
    node = 0
    while skip > 0 or not fits(node, request, state):
        if fits(node, request, state):
            skip -= 1
        node += 1
    return node


@compiled
def _first_node(start: int, request: Request, state: NodeState) -> int:
    """First node that fits, from ``start`` on and around."""
    n_nodes = len(state.stamp)
    for step in range(n_nodes):
        node = (start + step) % n_nodes
        if fits(node, request, state):
            return node
    return -1


@compiled
def _best_node(request: Request, state: NodeState, rule: PlacementRule) -> int:
    """First node of the largest score; of a known class only those nodes are scored again that changed since it was last asked for."""
    task_class = request.task_class
    best, chosen = -1, -1
    if task_class < 0:
        for node in range(len(state.stamp)):
            score = score_node(node, request, state, rule)
            if score > best and is_open(node, request, state):
                best, chosen = score, node
        return chosen
    # Tasks of a class differ in host memory, so the remembered scores leave it out.
    without_memory = Request(request.cores_milli, 0, request.gpus, request.share_milli, task_class)
    for node in range(len(state.stamp)):
        if rule.score_stamp[task_class, node] != state.stamp[node]:
            rule.score[task_class, node] = score_node(node, without_memory, state, rule)
            rule.score_stamp[task_class, node] = state.stamp[node]
        score = int(rule.score[task_class, node])
        if score > best and state.free_mem_bytes[node] >= request.mem_bytes and is_open(node, request, state):
            best, chosen = score, node
    return chosen


@compiled
def choose_gpus(node: int, request: Request, state: NodeState, rule: PlacementRule) -> int:
    """Return the mask of the GPUs that a request gets on a node where it fits."""
    if request.gpus == 0:
        return 0
    if request.share_milli == MILLI:
        return _whole_gpus(node, request.gpus, state)
    if rule.code == _FGD:
        return _fgd_score(node, request, state, rule)[1]
    return _shared_gpu(node, request.share_milli, state, rule)


@compiled
def remembered_score(node: int, request: Request, state: NodeState, rule: PlacementRule) -> int:
    """Return `score_node` without regard to host memory, remembered for requests of a known class while the node does not change."""
    without_memory = Request(request.cores_milli, 0, request.gpus, request.share_milli, request.task_class)
    known = request.task_class
    if known < 0:
        return score_node(node, without_memory, state, rule)
    if rule.score_stamp[known, node] != state.stamp[node]:
        rule.score[known, node] = score_node(node, without_memory, state, rule)
        rule.score_stamp[known, node] = state.stamp[node]
    return int(rule.score[known, node])


@compiled
def place(request: Request, state: NodeState, rule: PlacementRule) -> tuple[int, int]:
    """Choose a node and GPUs for a request; nothing is taken.

    Parameters
    ----------
    request : Request
        What the task asks for.
    state : NodeState
        The cluster now.
    rule : PlacementRule
        The rule, whose memory is brought up to date.

    Returns
    -------
    node : int
        Node index, -1 if the request fits nowhere now.
    gpu_mask : int
        Bit ``k`` set: the ``k``-th GPU of that node.
    """
    if rule.code == _RANDOM:
        node = _random_node(request, state, rule)
    elif rule.code == _FIRST_FIT:
        node = _first_node(0, request, state)
    elif rule.code == _ROUND_ROBIN:
        node = _first_node(int(rule.cursor[0]), request, state)
        if node >= 0:
            rule.cursor[0] = (node + 1) % len(state.stamp)
    else:
        node = _best_node(request, state, rule)
    return node, 0 if node < 0 else choose_gpus(node, request, state, rule)
