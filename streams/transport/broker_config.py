"""The embedded broker's settings: one process, one machine, one user; quick to start and small."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import NamedTuple

from streams.contracts.errors import BrokerError

DATA = "data"
SERVER_FILE = "server.properties"
LOGGING_FILE = "log4j2.properties"
_PORT_FILE = "port"

_SERVER = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{client}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
# Topics are made with the settings of our table, never by a client's typing error.
auto.create.topics.enable=false
# Kafka's time retention goes by the record timestamp: a replay of old data would be deleted at once.
log.message.timestamp.type=LogAppendTime
message.max.bytes=8388608
replica.fetch.max.bytes=8388608
group.initial.rebalance.delay.ms=0
# After a crash the controller waits for the old registration to time out (default 9 s, asked again every 2 s).
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=2
# The default of 128 MiB is a third of the heap.
log.cleaner.dedupe.buffer.size=16777216
"""

_LOGGING = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


class Ports(NamedTuple):
    """Of 127.0.0.1: where clients connect, and where the controller listens."""

    client: int
    controller: int


def choose_ports(folder: Path, port: int | None) -> Ports:
    """Take the port that is asked for, else the last one, else a free one.

    Raises:
        BrokerError: somebody else has the port that is asked for.
    """
    with contextlib.ExitStack() as taken:
        if port is not None:
            client = _bind(taken, port)
            if client is None:
                raise BrokerError(f"port {port} of 127.0.0.1 is taken: choose another, or none for a free one")
        else:
            client = _bind(taken, _last_port(folder)) or _bind(taken, 0)
        controller = _bind(taken, 0)
        if client is None or controller is None:
            raise BrokerError("no free port on 127.0.0.1")
        return Ports(client, controller)


def _bind(taken: contextlib.ExitStack, port: int) -> int | None:
    probe = taken.enter_context(socket.socket())
    # As the broker does: ports of connections that were just closed may be used.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return None
    return int(probe.getsockname()[1])


def _last_port(folder: Path) -> int:
    try:
        port = int((folder / _PORT_FILE).read_text("ascii"))
    except (OSError, ValueError):
        return 0
    return port if 0 < port < 1 << 16 else 0


def last_address(folder: Path) -> str:
    """Return where the folder's broker listened last."""
    return f"127.0.0.1:{_last_port(folder)}"


def write(folder: Path, ports: Ports) -> Path:
    """Write the settings and return the server's file."""
    text = _SERVER.format(client=ports.client, controller=ports.controller, data=str(folder / DATA).replace("\\", "\\\\"))
    (folder / SERVER_FILE).write_text(text, "utf-8")
    (folder / LOGGING_FILE).write_text(_LOGGING, "utf-8")
    (folder / _PORT_FILE).write_text(str(ports.client), "ascii")
    return folder / SERVER_FILE
