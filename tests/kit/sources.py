"""The repository as text and syntax trees, for tests that read it."""

import ast
import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("streams", "skills", "daemon")


@functools.cache
def tracked() -> tuple[Path, ...]:
    """Every file that is in the repository, or would be with the next commit."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")  # noqa: S603 - git, fixed arguments
    return tuple(sorted(ROOT / name for name in names if name and (ROOT / name).is_file()))


def product(*folders: str) -> tuple[Path, ...]:
    """The Python files of the product, or of some folders of it."""
    wanted = tuple(ROOT / folder for folder in folders or PRODUCT)
    return tuple(file for file in tracked() if file.suffix == ".py" and any(file.is_relative_to(folder) for folder in wanted))


@functools.cache
def tree(file: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(file.read_text("utf-8"), str(file))


def name_of(file: Path) -> str:
    """A file's path inside the repository."""
    return file.relative_to(ROOT).as_posix()


def imports(file: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it; `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_in(module: str, package: str) -> bool:
    """Whether a module is a package or lies in it."""
    return module == package or module.startswith(f"{package}.")


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an attribute chain, nothing for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        above = dotted(node.value)
        return f"{above}.{node.attr}" if above else ""
    return ""


def strings_of(file: Path) -> Iterator[str]:
    """The texts that stand in a file, docstrings among them."""
    return (node.value for node in ast.walk(tree(file)) if isinstance(node, ast.Constant) and isinstance(node.value, str))
