# driftwake: `make demo` shows the whole loop on real data, `make test` proves it.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-full check bench format clean lock

$(READY): requirements.lock pyproject.toml
	bash deploy/setup.sh $(PYTHON) $(VENV)
	touch $(READY)

demo: $(READY)
	$(BIN)/driftwake demo

test: $(READY)
	$(BIN)/python -m pytest -m "not full"

test-full: $(READY)
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m tests.bench.serving_throughput

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 \
		--all-extras --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .driftwake
