# make demo and make test start from a bare checkout and Python 3.11 or newer; options for pip, such as the index of a CPU
# build of torch, go into PIP_FLAGS.
PYTHON ?= $(or $(shell command -v python3.11 2>/dev/null),python3)
PIP_FLAGS ?=
BIN := .venv/bin
PINS := pyproject.toml constraints.txt

.PHONY: demo test test-slow check docs clean

demo: .venv/.demo
	$(BIN)/vrnn demo --out demo

test: .venv/.dev
	$(BIN)/python -m pytest -n 2

test-slow: .venv/.dev
	$(BIN)/python -m pytest -m slow

check: .venv/.dev docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyrefly check
	$(BIN)/lint-imports
	VRNN_SHAPES=1 $(BIN)/python -m pytest -n 2 tests/models tests/objectives  # shapes of every tensor checked

docs: .venv/.dev
	$(BIN)/sphinx-build -W -q -b html docs docs/_build/html

clean:
	rm -rf docs/_build build dist demo .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vrnn needs Python 3.11 or newer: make PYTHON=...")'
	$(PYTHON) -m venv .venv

.venv/.demo: $(PINS) | $(BIN)/python
	$(BIN)/python -m pip install -q $(PIP_FLAGS) -c constraints.txt -e '.[plot,frames]'
	touch $@

.venv/.dev: $(PINS) | $(BIN)/python
	$(BIN)/python -m pip install -q $(PIP_FLAGS) -c constraints.txt -e '.[dev]'
	touch $@
