"""Memory that is free goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

LARGE_THEN_SMALLER = """
import ctypes, sys
from hybrid_ml_scheduler.service.memory import give_memory_back

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]

library = ctypes.CDLL(None)
library.mallinfo2.restype = Info
library.malloc.restype, library.malloc.argtypes, library.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
if sys.argv[1] == "told":
    assert give_memory_back()
library.free(library.malloc(30_000_000))
before = library.mallinfo2().hblkhd
library.malloc(1_000_000)
print(library.mallinfo2().hblkhd - before >= 1_000_000)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has another allocator")
@pytest.mark.parametrize(("told", "mapped"), [("told", "True"), ("not told", "False")])
def test_arrays_get_blocks_of_their_own_also_after_a_larger_one_was_freed(told: str, mapped: str) -> None:
    command = [sys.executable, "-c", LARGE_THEN_SMALLER, told]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == mapped
