import asyncio
import importlib.metadata
import subprocess
import sys
from pathlib import Path

from tests.kit.sources import PRODUCT, ROOT, imports, is_in, name_of, product

# Where faust, the shell of the application, may be seen.
FAUST = ("streams/app.py", "daemon/app.py")
# Modules of the transport that hold types and pure functions, which the pure modules of a stage may name.
PURE_TRANSPORT = (
    "streams.transport.records",
    "streams.transport.typed",
    "streams.transport.processor",
    "streams.transport.quarantine",
)
IO = (
    "aiokafka", "faust", "mode", "streams.transport", "socket", "subprocess", "sqlalchemy", "sqlite3", "deltalake", "duckdb",
    "urllib", "http", "multiprocessing",
)  # fmt: skip


def test_import_contracts_are_kept():
    done = subprocess.run(  # noqa: S603 - our own tool
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kept = [line for line in done.stdout.splitlines() if line.endswith(" KEPT")]
    assert len(kept) >= 10


def test_no_other_distribution_provides_our_packages():
    others = [one for one in importlib.metadata.distributions() if one.metadata["Name"] != "driftwake"]
    assert len(others) > 50
    for one in others:
        tops = {file.parts[0].removesuffix(".py") for file in one.files or () if file.suffix == ".py"}
        assert not tops & set(PRODUCT), f"{one.metadata['Name']} provides {tops & set(PRODUCT)}: uninstall it"


def test_our_packages_are_this_checkout():
    for package in PRODUCT:
        origin = __import__(package).__file__
        assert origin is not None
        assert Path(origin).is_relative_to(ROOT)


async def test_a_child_process_elsewhere_runs_this_checkout(tmp_path: Path):
    code = f"import {', '.join(PRODUCT)}; print(*(one.__file__ for one in ({', '.join(PRODUCT)})))"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=tmp_path, stdout=subprocess.PIPE)
    said, _ = await child.communicate()
    assert child.returncode == 0
    for origin in said.decode().split():
        assert Path(origin).is_relative_to(ROOT), (
            f"{origin}: another copy is installed here; install this one (`make .venv/.ready`)"
        )


def test_faust_is_the_shell_only():
    found = [name_of(file) for file in product() if any(is_in(module, "faust") for module in imports(file))]
    strangers = [name for name in found if name not in FAUST and not name.startswith("streams/transport/")]
    assert not [name for name in strangers if not name.endswith("/stage.py")]


def stages() -> list[Path]:
    return sorted(folder for tree in ("streams", "daemon") for folder in (ROOT / tree).glob("*ing") if folder.is_dir())


def test_only_the_stage_file_does_input_and_output():
    checked = 0
    for folder in stages():
        for file in product(name_of(folder)):
            if file.name == "stage.py":
                continue
            checked += 1
            modules = [module for module in imports(file) if not any(is_in(module, pure) for pure in PURE_TRANSPORT)]
            bad = sorted({module for module in modules if any(is_in(module, door) for door in IO)})
            assert not bad or name_of(file) in OTHER_DOORS, f"{name_of(file)} imports {bad}: that belongs into stage.py"
    assert checked > 20


OTHER_DOORS: dict[str, str] = {
    "streams/serving/preparing.py": "reads deployments and reports readiness beside the scoring, as a part of the stage",
}
"""File to reason. It may only become shorter."""


def test_no_door_is_listed_in_vain():
    for name in OTHER_DOORS:
        modules = list(imports(ROOT / name))
        assert any(is_in(module, door) for module in modules for door in IO), f"{name} needs no exception any more: remove it"
