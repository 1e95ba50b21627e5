import ctypes

from daemon.machine import free_gpu_memory_mb, read_machine


def test_the_machine_tells_its_free_memory() -> None:
    machine = read_machine()
    assert machine.memory_mb > 1


def test_a_machine_without_nvidia_s_library_has_no_gpu() -> None:
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        assert free_gpu_memory_mb() is None
    else:
        free_mb = free_gpu_memory_mb()
        assert free_mb is None or free_mb > 0
