# driftwake: `make demo` shows the whole loop on real data, `make test` proves it.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-full check faults bench bench-latency bench-ledger bench-monitors bench-rivals bench-estimates bench-planner bench-training bench-loop bench-loop-full bench-loop-night format clean lock

$(READY): requirements.lock pyproject.toml
	bash deploy/setup.sh $(PYTHON) $(VENV)
	touch $(READY)

demo: $(READY)
	$(BIN)/driftwake demo

# What waits for a broker or for other processes runs by itself, the rest in two processes.
TIMED := tests/broker tests/faults tests/scenarios
test: $(READY)
	bash deploy/system.sh
	$(BIN)/python -m pytest -m "not full" -n 2 --dist loadfile $(addprefix --ignore=,$(TIMED))
	$(BIN)/python -m pytest -m "not full" $(TIMED)

test-full: $(READY)
	bash deploy/system.sh
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m tests.bench.features
	$(BIN)/python -m tests.bench.serving_throughput
	$(BIN)/python -m tests.bench.backfill
	$(BIN)/python -m tests.bench.measuring

bench-latency: $(READY)
	$(BIN)/python -m tests.bench.serving_latency

# What an audited change costs on disk, in SQLite and PostgreSQL; how long a chain takes to verify, and a burst of events to triage.
bench-ledger: $(READY)
	bash deploy/system.sh
	$(BIN)/python -m tests.bench.ledger

# How soon a shift is confirmed, and how often chance raises an alarm in streams that never change, 200 months of each (takes long),
# and in real files' rows. DATA is where those are.
DATA ?= ../shared/data
bench-monitors: $(READY)
	$(BIN)/python -m tests.bench.monitors.delays
	$(BIN)/python -m tests.bench.monitors.false_alarms
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.monitors.calm_files --data $(DATA)

# The monitors beside those of other tools, which get a throw-away environment of their own.
RIVALS := .driftwake/rivals
bench-rivals: $(READY)
	bash tests/bench/monitors/rivals/setup.sh $(BIN)/python $(RIVALS)/venv
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.monitors.rivals --python $(RIVALS)/venv/bin/python --folder $(RIVALS)/scratch --data $(DATA)

# What is estimated without labels, beside what came true and what NannyML estimates.
bench-estimates: $(READY)
	bash tests/bench/monitors/rivals/setup.sh $(BIN)/python $(RIVALS)/venv
	$(BIN)/python -m tests.bench.monitors.estimates --python $(RIVALS)/venv/bin/python --data $(DATA)

# Faults on the real broker, each case once for each seed; a shard is a range of seeds: make faults SEEDS=5-9
SEEDS ?= 0-0
faults: $(READY)
	$(BIN)/python -m pytest tests/faults --fault-seeds $(SEEDS)

# What planners make of simulated incidents, against its bars: policy, and Claude beside it, whose part a seeded fuzzer plays (no model is
# asked). One alone, or another: make bench-planner PLANNERS="policy"
PLANNERS ?= policy claude
bench-planner: $(READY)
	$(BIN)/python -m tests.bench.planner $(addprefix --planner ,$(PLANNERS))

# What a training takes on the CPU, beside what a plan predicts.
bench-training: $(READY)
	$(BIN)/python -m tests.bench.training

# The closed loop against its bars: a small set, every scenario, every scenario five times (a run goes on where it stopped).
bench-loop: $(READY)
	$(BIN)/driftwake bench --jobs 2 C2_sine C2_stagger C3_sine C4

bench-loop-full: $(READY)
	$(BIN)/driftwake bench --jobs 2

bench-loop-night: $(READY)
	$(BIN)/driftwake bench --seeds 5 --jobs 2

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 \
		--all-extras --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .driftwake
