import ast
import re

from daemon.demo.flights import SCHEMA
from tests.kit.sources import ROOT, name_of, product, tracked, tree

# Written in two parts, so that this file doesn't find itself.
HOSTS = re.compile("pypi" + r"\.org|python" + r"hosted|maven" + r"\.org|conda\." + "anaconda")
OPTIONS = re.compile("--(extra-)?index" + "-url|--find" + "-links|--trusted" + "-host")
PLACES = re.compile("(?<![A-Za-z0-9_.])/(root|home|work|Users)" + "/[A-Za-z0-9_.]")
TEXT = {".py", ".toml", ".md", ".yaml", ".yml", ".json", ".lock", ".sh", ".txt", ".cfg", ".sha256", ""}

SHARED_WORDS: dict[str, str] = {
    "hour": "a part of time that expressions can read",
    "origin": "where a setting's value came from",
    "distance": "of two distributions",
    "weekday": "a part of time that expressions can read",
}
"""Columns of the demo whose names are words of the product too, and why. It may only become shorter."""


def test_no_registry_and_no_machine_is_named():
    checked = 0
    for file in tracked():
        if file.suffix not in TEXT:
            continue
        checked += 1
        text = file.read_text("utf-8")
        for pattern in (HOSTS, PLACES) if name_of(file) == "Makefile" else (HOSTS, OPTIONS, PLACES):
            found = pattern.search(text)
            assert found is None, f"{name_of(file)}: {found and found[0]!r} belongs into nobody's checkout but yours"
    assert checked > 100


def test_the_lock_has_hashes_and_no_index():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert OPTIONS.search(text) is None
    requirements = [block for block in re.split(r"\n(?=[a-zA-Z0-9])", text) if "==" in block.partition("\n")[0]]
    assert len(requirements) > 100
    for requirement in requirements:
        assert "--hash=sha256:" in requirement, requirement.splitlines()[0]


def test_every_direct_dependency_is_locked():
    project = (ROOT / "pyproject.toml").read_text()
    names = re.findall(r'^    "([A-Za-z0-9_.-]+)(?:\[[^]]*\])?[><=]', project.partition("[tool.uv]")[0], re.MULTILINE)
    assert len(names) > 30
    lock = (ROOT / "requirements.lock").read_text()
    locked = {plain(name) for name in re.findall(r"^([A-Za-z0-9_.-]+)==", lock, re.MULTILINE)}
    assert not [name for name in names if plain(name) not in locked]


def test_product_code_names_no_column_of_the_demo():
    columns = {column.name for column in SCHEMA.columns}
    assert len(columns) > 5
    files = [file for file in product() if not name_of(file).startswith("daemon/demo/")]
    assert len(files) > 50
    found = {(word, name_of(file)) for file in files for word in words(tree(file)) if word in columns}
    assert {word for word, _ in found} <= set(SHARED_WORDS), sorted(found)
    assert set(SHARED_WORDS) <= {word for word, _ in found}, "these words are shared no more: remove them from SHARED_WORDS"


def words(module: ast.Module) -> set[str]:
    """Names, arguments and strings of a file, docstrings apart."""
    prose = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            found.add(node.value)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
    return found


def plain(name: str) -> str:
    """A distribution's name in its normal form."""
    return re.sub(r"[-_.]+", "-", name).lower()
