"""What a training could have on this machine: the memory that a step may take, and a GPU's that is free."""

from __future__ import annotations

import ctypes

from daemon.planning.device import MB, Machine

# NVIDIA's management library comes with the driver; without one there is no GPU.
_LIBRARY = "libnvidia-ml.so.1"
_DONE = 0


class _Memory(ctypes.Structure):
    """`nvmlMemory_t`."""

    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


def read_machine(memory_mb: float) -> Machine:
    """Ask the machine, now; it may take a second, so not on the event loop.

    Args:
        memory_mb: what a step may take of main memory. What is free just now would make plans differ from run to run.
    """
    return Machine(memory_mb, free_gpu_memory_mb())


def free_gpu_memory_mb() -> float | None:
    """Return the free memory of the first GPU, which is the one that skills see; None without one, or without a driver."""
    try:
        library = ctypes.CDLL(_LIBRARY)
        if library.nvmlInit_v2() != _DONE:
            return None
        try:
            return _free_mb(library)
        finally:
            library.nvmlShutdown()
    except (OSError, AttributeError):  # no library, or one that lacks a function
        return None


def _free_mb(library: ctypes.CDLL) -> float | None:
    handle, memory = ctypes.c_void_p(), _Memory()
    if library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)) != _DONE:
        return None
    if library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) != _DONE:
        return None
    return memory.free / MB
