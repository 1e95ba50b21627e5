"""What this machine reports of itself: free memory, and a GPU's, through NVIDIA's management library where there is one."""

from __future__ import annotations

import ctypes

import psutil

from daemon.planning.device import MB, Machine

_LIBRARY = "libnvidia-ml.so.1"
_DONE = 0


class _Memory(ctypes.Structure):
    """`nvmlMemory_t`."""

    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


def read_machine() -> Machine:
    """Ask the machine, now."""
    return Machine(psutil.virtual_memory().available / MB, free_gpu_memory_mb())


def free_gpu_memory_mb() -> float | None:
    """Return the free memory of the first GPU; None without one, or without a driver."""
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    if library.nvmlInit_v2() != _DONE:
        return None
    try:
        handle, memory = ctypes.c_void_p(), _Memory()
        if library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)) != _DONE:
            return None
        if library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) != _DONE:
            return None
        return memory.free / MB
    finally:
        library.nvmlShutdown()
