"""A PostgreSQL server of our own, thrown away afterwards: on a socket in a temporary folder, as durable as it is by default."""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import URL, create_engine
from sqlalchemy.exc import OperationalError

from streams.runtime.config import environment

ROLE = "driftwake"
MISSING = "PostgreSQL's server isn't installed (`bash deploy/system.sh` installs it on Debian)"
_START_SECONDS = 60.0


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: what is on the path, else the newest of Debian's; None when there is none."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name), default=None)


class Cluster:
    """One server with any number of databases, each thrown away with it.

    The server refuses to run as root; there it runs as `postgres` or `nobody`. It is ended with its starter, however that dies.
    """

    def __init__(self) -> None:
        found = binaries()
        assert found is not None, MISSING
        self._binaries = found
        self.folder = Path(tempfile.mkdtemp(prefix="driftwake-pg-"))  # short: a socket's path has 107 characters at most
        self._numbers = count(1)
        self._user = _server_user()
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            if self._user != getpass.getuser():
                shutil.chown(self.folder, self._user)
            # What initdb writes needs no syncing, as nobody reads it after a crash; the server itself syncs as ever.
            options = ["-U", ROLE, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
            command = [self._binaries / "initdb", "-D", self.folder / "data", *options]
            subprocess.run(command, check=True, capture_output=True, **self._as_user())  # noqa: S603 - PostgreSQL's own
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        ending = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
        command = [*ending, self._binaries / "postgres", "-D", self.folder / "data", "-k", self.folder, "-c", "listen_addresses="]
        with (self.folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(  # noqa: S603 - PostgreSQL's own
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **self._as_user()
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "the server doesn't answer"
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(0.05)
                raise AssertionError((self.folder / "server.log").read_text())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT closes all connections first, SIGQUIT is as a crash."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(60)
            self._server = None

    def url(self, database: str = "postgres", role: str = ROLE) -> str:
        """The URL of a database."""
        url = URL.create("postgresql", username=role, database=database, query={"host": str(self.folder)})
        return url.render_as_string(hide_password=False)

    def database(self) -> str:
        """Make an empty database; return its URL."""
        name = f"ledger{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as the superuser, each by itself."""
        engine = create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                for statement in statements:
                    connection.exec_driver_sql(statement)
        finally:
            engine.dispose()

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except OperationalError:
            return False
        return True

    def _as_user(self) -> dict[str, Any]:
        """How a process is made whose user is the server's."""
        place: dict[str, Any] = {"cwd": self.folder, "env": {"PATH": environment()["PATH"], "LANG": "C.UTF-8"}}
        if self._user == getpass.getuser():
            return place
        return place | {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}


def _server_user() -> str:
    if os.getuid() != 0:
        return getpass.getuser()
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
