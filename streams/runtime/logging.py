"""Structured logs: one JSON object a line in a file, a readable line on the console.

Events are a closed set of names, noun and past participle; what varies goes into the details. Text from outside is bounded
and cleared of control characters before it is written anywhere.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TextIO, get_args

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor

from streams.runtime.text import cleaned

EventName = Literal[
    "AlarmsUncalibrated", "ApiOpened", "ApprovalReminded", "ArchiveDelayed", "AskDropped", "BackfillFailed", "BrokerStarted",
    "BucketLeftOut", "BucketsClosedEarly", "BundleLoaded", "BundleRefused", "CallFailed", "CallRefused", "CanaryFailed",
    "ChampionFailed", "CommandApplied", "CommandRefused", "CommitDoubted", "DeploymentDelayed", "DeploymentIgnored",
    "DeploymentPublished", "DoorOpened", "EndsUnknown", "EventReceived", "EventRefused", "FactSkipped", "FilesMerged",
    "GoalsUnmeasured", "IncidentMoved", "IncidentOpened", "InputTruncated", "LagNotReported", "LibraryLogged", "LicenceNoted",
    "MaintenanceFailed", "MetricsServed", "ModelRolledBack", "ModelSwapped", "ParityUnknown", "PlanOverruled", "PlannerAsked",
    "PlannerFailed", "PlaybookProposed", "ProcessDied", "ProcessKilled", "ProcessStarted", "RecordRefused", "RecordUnreadable",
    "RecordsMissed", "ReferenceUnreadable", "RegistryFailed", "RequestsHeldBack", "RequestsLeftWaiting", "RowsExpired",
    "ShadowFailed", "SnapshotFailed", "SnapshotUnusable", "StepFinished", "StepRepaired", "StepStarted", "SummariesShed",
    "SummaryIgnored", "TaskAssigned", "TaskNotAssigned", "TaskRebuilt", "TaskStoppedLate", "TaskTakenOver", "TasksShared",
    "TokensRead", "TokensRefused", "VersionsExpired", "VersionsLost", "WebhookFailed", "WindowsBackfilled", "WindowsRestored",
]  # fmt: skip
Level = Literal["debug", "info", "warning", "error"]

EVENTS: frozenset[str] = frozenset(get_args(EventName))
FILE_BYTES = 20_000_000
FILES = 5
REPEAT_SECONDS = 10.0
_MOST_REMEMBERED = 1_000
# At debug they write down whole requests.
_TALKATIVE = ("anthropic", "httpx2", "httpcore2")
# Without the values of variables: rows, records and keys are among them.
_TRACEBACKS = ExceptionRenderer(ExceptionDictTransformer(show_locals=False))


class Log:
    """A part's own log. Details are numbers, enums and short text; never a whole record."""

    def __init__(self, part: str) -> None:
        self._logger = structlog.stdlib.get_logger(part)

    def debug(self, event: EventName, **details: Any) -> None:
        """Note what only a developer asks for."""
        self._logger.debug(event, **details)

    def info(self, event: EventName, **details: Any) -> None:
        """Note that something went as it should."""
        self._logger.info(event, **details)

    def warning(self, event: EventName, **details: Any) -> None:
        """Note that something was repaired or left out."""
        self._logger.warning(event, **details)

    def error(self, event: EventName, **details: Any) -> None:
        """Note that something needs a person. `error=exception` adds its traceback."""
        error = details.pop("error", None)
        self._logger.error(event, exc_info=error, **({"error": str(error)} if error is not None else {}), **details)


@contextlib.contextmanager
def logging_to(folder: Path | None, process: str, *, level: Level = "info", console: TextIO | None = None) -> Iterator[None]:
    """Set up the logs of this process as long as the block runs.

    Args:
        folder: where `{process}.jsonl` goes (at most 5 files of 20 MB); None writes no file.
        process: name of the process, for the file and for every line.
        level: the least that is written.
        console: where readable lines go; None stands for standard error.
    """
    handlers: list[logging.Handler] = [_console_handler(console or sys.stderr)]
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        handlers.append(_file_handler(folder / f"{process}.jsonl"))
    for handler in handlers:
        handler.addFilter(_Repeats())
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers[:] = handlers
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *_shared(process),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        root.handlers[:], root.level = before
        structlog.reset_defaults()
        for handler in handlers:
            handler.close()


class _Repeats(logging.Filter):
    """Writes what a library says again and again once in `REPEAT_SECONDS`.

    While no broker answers, its client says the same hundreds of times a second: it would push everything else out of the files.
    """

    def __init__(self) -> None:
        super().__init__()
        self._written: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is written; our own, whose message is a dict, always are."""
        if isinstance(record.msg, dict):
            return True
        said = (record.name, record.getMessage())
        if record.created < self._written.get(said, 0.0) + REPEAT_SECONDS:
            return False
        if len(self._written) >= _MOST_REMEMBERED:
            self._written.clear()
        self._written[said] = record.created
        return True


def _shared(process: str) -> list[Processor]:
    def name_place(logger: Any, method: str, event: EventDict) -> EventDict:
        part = event.pop("logger", "")
        return {**event, "part": part, "process": process}

    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    return [structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, stamp, name_place, _clean]


def _foreign(logger: Any, method: str, event: EventDict) -> EventDict:
    """Give a line from a library the form of ours."""
    record = event.get("_record")
    return {
        **event,
        "event": "LibraryLogged",
        "part": record.name if record is not None else "",
        "message": event.get("event", ""),
    }


def _formatter(process: str, render: list[Processor]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_foreign, *_shared(process)],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
    )


def _file_handler(file: Path) -> logging.Handler:
    handler = logging.handlers.RotatingFileHandler(file, maxBytes=FILE_BYTES, backupCount=FILES - 1, encoding="utf-8")
    handler.setFormatter(_formatter(file.stem, [_TRACEBACKS, structlog.processors.JSONRenderer(default=str)]))
    return handler


def _console_handler(stream: TextIO) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
    handler.setFormatter(_formatter("console", [renderer]))
    return handler


def _clean(logger: Any, method: str, event: EventDict) -> EventDict:
    return {name: cleaned(value) if isinstance(value, str) else value for name, value in event.items()}
