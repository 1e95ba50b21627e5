"""Skills that take milliseconds, speaking the real protocol: `python -m tiny_skills NAME --input FILE --output FILE --work DIR`.

What they answer comes from `script.json` in the lake's folder; each start is noted in `starts.log` beside it.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path


def main() -> int:
    name, options = sys.argv[1], dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True))
    asked = json.loads(Path(options["--input"]).read_text())
    lake = Path(asked["lake"])
    with (lake / "starts.log").open("a") as log:
        log.write(f"{name}\n")
    script = json.loads((lake / "script.json").read_text())
    told = script.get(name, {})
    if name == "train_xgboost":
        publish(lake / "staged", Path(asked["registry"]) / asked["model"])
    if name == "compare_models" and asked["live"] is not None:
        told = script[f"live_{asked['live']['challenger_slot']}"]
    if told == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if told == "orphan":
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
    if told == "hang":
        sys.stdout.write("hanging\n")
        sys.stdout.flush()
        signal.pause()
    if told == "gulp":
        told = {"bytes": len(bytearray(1 << 33))}
    if told == "echo":
        told = {"options": options, "environment": environment(), "group": os.getpgrp() == os.getpid()}
    failed = isinstance(told, str) or "error" in told
    error = {"kind": told, "message": "scripted"} if isinstance(told, str) else told.get("error")
    answer = {"ok": False, "error": error} if failed else {"ok": True, "result": told}
    output = Path(options["--output"])
    part = output.with_suffix(".part")
    part.write_text(json.dumps(answer))
    part.replace(output)
    return int(failed)


def environment() -> dict[str, str]:
    return dict(item.split("=", 1) for item in Path("/proc/self/environ").read_text().split("\0") if item)


def publish(staged: Path, store: Path) -> None:
    for bundle in staged.iterdir():
        if not (store / bundle.name).exists():
            part = store / f"{bundle.name}.part"
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(bundle, part)
            part.rename(store / bundle.name)


if __name__ == "__main__":
    sys.exit(main())
