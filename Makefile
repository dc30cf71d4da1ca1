# make demo and make test start from a bare checkout and Python 3.11 or newer, which PYTHON names.
# Options for pip, such as the index of a CPU build of torch, go into PIP_FLAGS.
PYTHON ?= $(or $(shell command -v python3.11 2>/dev/null),python3)
PIP_FLAGS ?=
BIN := .venv/bin
PINS := pyproject.toml constraints.txt
PIP = $(BIN)/python -m pip install -q $(PIP_FLAGS) -c constraints.txt
EXAMPLES ?= 2000
SHAPED := $(wildcard $(addprefix tests/,models ops inference fastpath objectives distributions))

.PHONY: demo test test-slow fuzz mutants check pretrain lint shapes docs coverage hooks clean

demo: .venv/.demo
	$(BIN)/vrnn demo --out demo

test: .venv/.dev
	$(BIN)/python -m pytest -n 2

test-slow: .venv/.dev
	$(BIN)/python -m pytest -m 'slow or matrix'

fuzz: .venv/.dev # new examples at each run; about ten minutes with 2000 of them
	VRNN_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -n 2 -m fuzz tests/fuzz

mutants: .venv/.dev # MUTANTS holds paths and options, as in MUTANTS="tasks --sample 50"
	$(BIN)/python -m tests.mutants $(MUTANTS)

check: lint docs shapes

pretrain: .venv/.dev # the model that needs no training; about an hour
	$(BIN)/python -m benchmarks.pretrain

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyrefly check
	$(BIN)/lint-imports

shapes: .venv/.dev # every setting of every model, with the types and shapes of every call in the core checked
	VRNN_SHAPES=1 $(BIN)/python -m pytest -n 2 -m 'not slow and not fuzz' $(SHAPED)

docs: .venv/.dev
	$(BIN)/sphinx-build -W -q -b html docs docs/_build/html

coverage: .venv/.dev
	$(BIN)/python -m pytest -n 2 --cov --cov-report=term --cov-report=html

hooks: .venv/.dev # git then runs .pre-commit-config.yaml at every commit
	$(PIP) pre-commit
	$(BIN)/pre-commit install

clean:
	rm -rf docs/_build build dist demo htmlcov .coverage* .*_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv

.venv/.demo: $(PINS) | $(BIN)/python
	$(PIP) -e '.[plot,frames]'
	touch $@

.venv/.dev: $(PINS) | $(BIN)/python
	$(PIP) -e '.[dev]'
	touch $@
