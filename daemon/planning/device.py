"""Where a training should run: on the GPU if there is one with room, else on the CPU. Pure.

What the CPU takes was measured with XGBoost 3.2 (`hist`, depth 5, 256 bins; `make bench-training` measures it again). What a GPU
needs follows from what lies in its memory at once: values that are cut into bins, 4 bytes each, the bins, at most 2 bytes each
where values are missing (Ou, R. (2020), "Out-of-core GPU gradient boosting", arXiv:2005.09148, describes the matrix), and a row's
gradients, score, label, weight and places. How long a GPU takes isn't said: nobody has measured it here.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Device = Literal["cpu", "cuda"]

MB: Final = 1024 * 1024
# Bytes by cell (row and column) and by row, and MB beside that and the libraries.
CPU_BYTES_A_CELL, CPU_BYTES_A_ROW, CPU_MB = 12.0, 60.0, 20.0
GPU_BYTES_A_CELL, GPU_BYTES_A_ROW, GPU_MB = 6.0, 48.0, 512.0
# Seconds by cell and round on one thread.
CPU_SECONDS_A_CELL: Final = 12e-9
# So much of what is free is used at most: others work on the machine too.
SHARE: Final = 0.8


class Load(NamedTuple):
    """A training: rows and columns of its matrix, and rounds."""

    rows: int
    columns: int
    rounds: int


class Machine(NamedTuple):
    """What the machine reports: free main memory, and free memory of its GPU (None without one), in MB."""

    memory_mb: float
    gpu_memory_mb: float | None = None


class Placement(NamedTuple):
    """A device, what the training is predicted to take there (seconds: None where nobody can say), and why this one."""

    device: Device
    memory_mb: float
    seconds: float | None
    reason: str


def choose(load: Load, machine: Machine) -> Placement:
    """Choose a device.

    Where neither has room it is the CPU: the step then fails for want of memory, and says so.
    """
    cells = float(load.rows) * load.columns
    needed_mb = GPU_MB + (cells * GPU_BYTES_A_CELL + load.rows * GPU_BYTES_A_ROW) / MB
    what = f"{load.rows} rows x {load.columns} columns"
    if machine.gpu_memory_mb is not None and needed_mb <= SHARE * machine.gpu_memory_mb:
        return Placement("cuda", needed_mb, None, f"{what} train on the GPU, which has room for {_size(needed_mb)}")
    memory_mb = CPU_MB + (cells * CPU_BYTES_A_CELL + load.rows * CPU_BYTES_A_ROW) / MB
    seconds = load.rounds * cells * CPU_SECONDS_A_CELL
    why = "there is no GPU" if machine.gpu_memory_mb is None else f"the GPU has no room for the {_size(needed_mb)} that it needs"
    tight = "" if memory_mb <= SHARE * machine.memory_mb else "; there may be too little memory for it here, too"
    said = f"{what} train on the CPU, in about {_size(memory_mb)} and {_time(seconds)} on one thread: {why}{tight}"
    return Placement("cpu", memory_mb, seconds, said)


def _size(memory_mb: float) -> str:
    return f"{memory_mb / 1024:.1f} GiB" if memory_mb >= 1024 else f"{memory_mb:.0f} MiB"


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{max(seconds, 1.0):.0f} s"
