import ctypes

from daemon.machine import free_gpu_memory_mb, read_machine


def test_a_training_has_what_a_step_may_take() -> None:
    assert read_machine(4_096.0).memory_mb == 4_096


def test_a_machine_without_nvidia_s_library_has_no_gpu() -> None:
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        assert free_gpu_memory_mb() is None
    else:
        free_mb = free_gpu_memory_mb()
        assert free_mb is None or free_mb > 0
