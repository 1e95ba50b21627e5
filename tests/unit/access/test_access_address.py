"""A daemon's address is believed while the process lives that wrote it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil

from daemon.access.address import ADDRESS_FILE, Address, read_address, remove_address, write_address

URL = "http://127.0.0.1:4711"


def test_an_address_is_written_for_its_owner_and_removed(tmp_path: Path) -> None:
    assert read_address(tmp_path) is None
    write_address(tmp_path, URL)
    assert stat.S_IMODE((tmp_path / ADDRESS_FILE).stat().st_mode) == 0o600
    assert read_address(tmp_path) == URL
    write_address(tmp_path, URL + "1")
    assert read_address(tmp_path) == URL + "1"
    remove_address(tmp_path)
    assert list(tmp_path.iterdir()) == []
    remove_address(tmp_path)


def left_by(place: Path, pid: int, started: float) -> None:
    (place / ADDRESS_FILE).write_bytes(msgspec.json.encode(Address(url=URL, pid=pid, started=started)))


def test_what_a_killed_daemon_left_is_not_believed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        left_by(tmp_path, child.pid, psutil.Process(child.pid).create_time())
        assert read_address(tmp_path) == URL
        child.kill()
    assert read_address(tmp_path) is None


def test_another_process_with_the_same_number_is_not_believed(tmp_path: Path) -> None:
    left_by(tmp_path, os.getpid(), psutil.Process().create_time() - 60)
    assert read_address(tmp_path) is None


def test_another_daemons_address_stays(tmp_path: Path) -> None:
    left_by(tmp_path, os.getppid(), psutil.Process(os.getppid()).create_time())
    remove_address(tmp_path)
    assert read_address(tmp_path) == URL


def test_a_damaged_file_is_none(tmp_path: Path) -> None:
    for content in (b"", b"{", b"\xff", b'{"url": 1}', msgspec.json.encode(Address(url=URL, pid=-5, started=0))):
        (tmp_path / ADDRESS_FILE).write_bytes(content)
        assert read_address(tmp_path) is None
