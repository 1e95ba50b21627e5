"""A daemon's process that only writes to a ledger: `python -m tests.kit.ledger_writer PLACE MODEL COUNT`.

It says `open` when it has the ledger, waits for a line, notes COUNT things, says `done`, and waits to be told to end, or killed.
"""

from __future__ import annotations

import sys

from daemon.ledger.ledger import open_ledger


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main(place: str, model: str, count: int) -> None:
    with open_ledger(place, models=[model]) as ledger:
        say("open")
        sys.stdin.readline()
        for number in range(count):
            ledger.note("noted", model, f"{model}{number}", number)
        say("done")
        sys.stdin.readline()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
