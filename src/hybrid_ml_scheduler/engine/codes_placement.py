"""Codes of the placement rules for rigid tasks on nodes with GPUs. NumPy and numba free, so that policies can name them cheaply."""

from __future__ import annotations

from enum import IntEnum


class PlacementCode(IntEnum):
    """Which node, and which of its GPUs, a rigid task gets; `engine.placement` defines each rule, docs/gpu-sharing.md derives it."""

    FIRST_FIT = 0
    """The first node that fits."""
    ROUND_ROBIN = 1
    """Next fit: the first node that fits after the one chosen last."""
    RANDOM = 2
    """Any node that fits, any GPU of it whose free part is large enough, all equally likely."""
    BEST_FIT = 3
    """Least left over."""
    WORST_FIT = 4
    """Most left over."""
    LEAST_LOADED = 5
    """Largest free part of the node's own capacity."""
    DOT_PRODUCT = 6
    """Smallest dot product of what is free and what is asked (as the FGD paper's baseline does, after Tetris)."""
    GPU_PACKING = 7
    """GPUs in use before idle GPUs of nodes in use before idle nodes."""
    GPU_CLUSTERING = 8
    """Nodes that run tasks of the same GPU shape."""
    FGD = 9
    """Steepest descent of expected fragmentation (Weng et al., USENIX ATC 2023)."""
