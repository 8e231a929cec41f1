PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
FAST := not slow and not live and not gpu
PINS := pyproject.toml constraints.txt

run: .venv/.run  ## a day of every system, in the demo world
	@$(BIN)/almanac day

open: .venv/.run  ## the pages, on localhost
	@$(BIN)/almanac open

test: .venv/.dev  ## all tests
	@$(BIN)/pytest -q -n 2 --dist loadfile

test-fast: .venv/.dev  ## all tests but the slow ones
	@$(BIN)/pytest -q -n 2 --dist loadfile -m "$(FAST)"

check: .venv/.dev  ## the gate: format, lint, types, import contracts, generated docs, fast tests
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports
	@$(BIN)/python -m functions._readme --check && $(BIN)/pytest -q -n 2 --dist loadfile -m "$(FAST)"

docs: .venv/.dev  ## write the README's generated tables anew
	@$(BIN)/python -m functions._readme

bench: .venv/.dev  ## the measured claims, each beside its baseline
	@for one in tests/benchmarks/*.py; do echo "== $$one"; $(BIN)/python $$one --check || exit 1; done

clean:  ## remove the environment and the demo world
	@rm -rf .venv .almanac build *.egg-info

help:  ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.run: $(PINS)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[train,explain,air]"
	@touch $@

.venv/.dev: $(PINS)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@ .venv/.run

.PHONY: run open test test-fast check docs bench clean help
.DEFAULT_GOAL := help
