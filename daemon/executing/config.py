"""Settings of executing."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from streams.runtime.config import Section
from streams.runtime.durations import Duration


class ExecutingConfig(Section):
    """How skills are run."""

    work: Path
    """Folder of the steps' work folders."""

    deadline: Duration = Duration.of("30m")
    """Wall-clock time after which a skill and all its children are killed."""

    memory_mb: int = Field(default=4_096, ge=64)
    """Most memory a skill may take for data. Address space isn't limited: runtimes reserve far more than they use."""

    threads: int = Field(default=1, ge=1, le=64)
    """Threads of numeric libraries: two on a busy two-core machine can be 100 times slower than one."""

    attempts: int = Field(default=2, ge=1, le=10)
    """How often a skill whose process died without an answer is started, before the step fails."""

    warm: bool = False
    """Keep a process that has imported the skills' libraries, and run each skill in a fork of it: a second or more is saved each
    time, and some 200 MB are held. Where every model is a replay, it is on."""

    skills_module: str = "skills"
    """What is run: `python -m <skills_module> NAME --input FILE --output FILE --work DIR`."""

    python_path: tuple[str, ...] = ()
    """Folders put on the skills' import path, for skills that aren't installed."""

    environment: dict[str, str] = Field(default_factory=dict)
    """Environment variables skills get besides the few they need; nothing else of the daemon's environment reaches them."""
