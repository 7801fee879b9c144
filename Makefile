# Everything starts from `make setup`, which the other targets call: a virtual environment in .venv/, the package in
# it, and the pretrained weights in the platform's cache folder.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: all setup run literal test quick lint types tests docs fix bench bench-smoke soak load clients clean

all: test

setup: .venv/ready

.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@sh tools/openblas.sh $(PYTHON)
	@echo "Setting up .venv: a few minutes the first time"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	$(BIN)/shammah setup
	@touch $@

run: setup
	@echo "Recorded questions, one after another. Claude's past answers are served where the evidence says they fit. Where"
	@echo "it is in doubt, a cheap model says in one word whether one serves: here a stand-in."
	$(BIN)/shammah replay examples/questions.jsonl --generator recall --judge simulated
	@echo "That was the whole loop on recorded questions: nothing left this machine. To ask with Claude:"
	@echo "    export ANTHROPIC_API_KEY=...            # a key from platform.claude.com"
	@echo "    $(BIN)/shammah ask 'How do I undo my last git commit but keep the changes?'"

literal: setup
	@echo "The specification as it is written, from models that know nothing."
	$(BIN)/shammah replay examples/questions.jsonl --preset literal --limit 60

test: setup lint types tests

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

tests: setup
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

quick: setup lint
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --quiet --numprocesses auto -m "not slow and not service"

docs: setup
	$(BIN)/python tools/command_reference.py --write

fix: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/bench: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group bench
	@touch $@

bench: .venv/bench
	$(BIN)/python -m benchmarks.literal
	$(BIN)/python -m benchmarks.worlds
	$(BIN)/python -m benchmarks.drift ../shared/data/streams/covid_faq.jsonl --answers ../shared/data/streams/claude_math.jsonl
	$(BIN)/python -m benchmarks.divergence --pairs ../shared/data/pairs/answer_equivalence.jsonl --half even
	$(BIN)/python -m benchmarks.prequential --streams ../shared/data/streams --out build/bench

soak: .venv/bench
	$(BIN)/python -m pytest --capture=no tests/home/test_kills.py tests/home/test_faults.py --kills 200 --every-page 1
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --capture=no tests/server/test_fuzz.py --fuzz-seconds 600
	$(BIN)/python -m benchmarks.soak ../shared/data/streams/intents_long.jsonl
	$(BIN)/python -m benchmarks.soak ../shared/data/streams/covid_faq.jsonl --limit 200 --generator recall+decoder

load: setup
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --capture=no tests/server/test_load.py --requests 1000 --kills 200
	$(BIN)/python -m benchmarks.warm
	$(BIN)/python -m benchmarks.answers_first

build/clients/ready: pyproject.toml
	$(PYTHON) -m venv build/clients
	build/clients/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	build/clients/bin/python -m pip install --quiet --disable-pip-version-check --group clients
	@touch $@

clients: setup build/clients/ready
	$(BIN)/python -m pytest tests/server/test_clients.py --clients build/clients/bin/python

bench-smoke: .venv/bench
	$(BIN)/python -m benchmarks.prequential --smoke --out build/bench-smoke

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
