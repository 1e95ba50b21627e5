"""One process writes the ledger; everybody else opens it for reading, and the engine refuses them writes."""

import ast
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from daemon.ledger.engine import open_engine
from daemon.ledger.ledger import open_ledger
from tests.kit.sources import dotted, imports, is_in, name_of, product, tree

WRITER = "daemon/app.py"


def test_only_the_daemons_process_opens_the_ledger_for_writing():
    readers, writers = set(), []
    for file in product():
        for node in ast.walk(tree(file)):
            if not isinstance(node, ast.Call) or dotted(node.func).rpartition(".")[2] != "open_ledger":
                continue
            given = {one.arg: one.value for one in node.keywords}
            value = given.get("read_only")
            is_reader = isinstance(value, ast.Constant) and value.value is True
            readers.add(name_of(file)) if is_reader else writers.append(name_of(file))
    assert writers == [WRITER]
    assert len(readers) > 3


def test_only_the_ledger_knows_its_database():
    found = {name_of(file) for file in product() if any(is_in(one, "sqlalchemy") for one in imports(file))}
    assert found
    assert not [name for name in found if not name.startswith("daemon/ledger/")]


def test_a_ledger_that_is_opened_for_reading_can_not_be_written(tmp_path: Path):
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.note("thing.seen", "m", "s", 0)
    engine = open_engine(tmp_path / "ledger.sqlite", read_only=True)
    with pytest.raises(OperationalError, match="readonly"), engine.begin() as connection:
        connection.execute(text("UPDATE incident SET state = 'closed'"))
    engine.dispose()
