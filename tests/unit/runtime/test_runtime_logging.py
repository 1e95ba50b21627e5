import io
import json
import logging
import re
from pathlib import Path

from streams.runtime.logging import EVENTS, Log, logging_to


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_names_are_a_noun_and_what_happened_to_it():
    assert EVENTS
    for name in EVENTS:
        assert re.fullmatch(r"([A-Z][a-z]+){2,4}", name)


def test_a_line_goes_to_the_file_and_to_the_console(tmp_path: Path):
    console = io.StringIO()
    with logging_to(tmp_path / "logs", "worker", console=console):
        Log("serving").info("ModelSwapped", model="one", generation=7)
        Log("serving").debug("BundleLoaded")
    (line,) = lines(tmp_path / "logs" / "worker.jsonl")
    assert line.pop("timestamp")
    assert line == {
        "event": "ModelSwapped", "level": "info", "part": "serving", "process": "worker", "model": "one", "generation": 7,
    }  # fmt: skip
    assert "ModelSwapped" in console.getvalue()
    assert "BundleLoaded" not in console.getvalue()


def test_control_characters_passwords_and_length_are_tamed(tmp_path: Path):
    console = io.StringIO()
    with logging_to(tmp_path, "worker", console=console):
        Log("x").warning("RecordsQuarantined", detail="\x1b[2Jgone\u202e" + "y" * 9_000, url="postgresql://me:secret@db")
    (line,) = lines(tmp_path / "worker.jsonl")
    assert len(str(line["detail"])) <= 2_000
    for text in (console.getvalue(), json.dumps(line, ensure_ascii=False)):
        assert "\x1b[2J" not in text
        assert "\u202e" not in text
        assert "secret" not in text


def test_an_error_carries_its_traceback(tmp_path: Path):
    with logging_to(tmp_path, "worker", console=io.StringIO()):
        try:
            float("no good")
        except ValueError as error:
            Log("x").error("StageFailed", error=error)
    (line,) = lines(tmp_path / "worker.jsonl")
    assert "no good" in str(line["error"])
    assert "ValueError" in str(line["exception"])


def test_lines_of_libraries_get_our_form(tmp_path: Path):
    with logging_to(tmp_path, "worker", console=io.StringIO()):
        logging.getLogger("library.part").warning("told %s", "you\x1b[0m")
    (line,) = lines(tmp_path / "worker.jsonl")
    assert (line["event"], line["part"], line["message"]) == ("LibraryLogged", "library.part", "told you [0m")


def test_what_a_library_repeats_is_written_once_a_while_in_every_place(tmp_path: Path):
    console = io.StringIO()
    with logging_to(tmp_path, "worker", console=console):
        library = logging.getLogger("library")
        for seconds, node in ((0.0, 1), (0.1, 1), (0.2, 2), (9.9, 1), (10.1, 1)):
            record = library.makeRecord("library", logging.ERROR, __file__, 1, "no node %d", (node,), None)
            record.created = 1_000_000.0 + seconds
            library.handle(record)
        for _ in range(2):
            Log("x").info("StepFinished", step="a")
    said = [line.get("message", line["event"]) for line in lines(tmp_path / "worker.jsonl")]
    assert said == ["no node 1", "no node 2", "no node 1", "StepFinished", "StepFinished"]
    assert console.getvalue().count("no node 1") == 2


def test_the_logging_of_before_comes_back(tmp_path: Path):
    before = logging.getLogger().handlers[:], logging.getLogger().level
    with logging_to(tmp_path, "worker", level="error", console=io.StringIO()):
        Log("x").info("StageStarted")
    assert (logging.getLogger().handlers[:], logging.getLogger().level) == before
    assert lines(tmp_path / "worker.jsonl") == []


def test_a_traceback_holds_no_value_of_a_variable(tmp_path: Path):
    def stumble(rows: list[str]) -> None:
        raise RuntimeError(f"{len(rows)} rows")

    with logging_to(tmp_path, "worker", console=io.StringIO()):
        try:
            stumble(["ann@example.org"])
        except RuntimeError as error:
            Log("x").error("StageFailed", error=error)
            logging.getLogger("library").exception("failed")
    file = (tmp_path / "worker.jsonl").read_text()
    assert file.count("stumble") == 2
    assert "ann@example.org" not in file
