PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
FAST := not slow and not live and not gpu
EXTRAS ?= train,explain,air
PINS := pyproject.toml constraints.txt

install: .venv/.run  ## an environment with what runs: the command, training, pages

run: .venv/.run  ## a day of every system, in the demo world
	@$(BIN)/almanac day

open: .venv/.run  ## the pages, on localhost
	@$(BIN)/almanac open

test: .venv/.dev  ## all tests (ONLY="an expression of marks": those)
	@$(BIN)/pytest -q -n 2 --dist loadfile $(if $(ONLY),-m "$(ONLY)")

test-fast: .venv/.dev  ## all tests but the slow ones
	@$(MAKE) --no-print-directory test ONLY="$(FAST)"

test-core: .venv-core/.made  ## the fast tests on pandas 3, without the clients that hold it back
	@.venv-core/bin/pytest -q -n 2 --dist loadfile -m "$(FAST)"

check: .venv/.dev  ## the gate: format, lint, types, import contracts, generated docs, fast tests
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports
	@$(BIN)/python -m functions._readme --check && $(BIN)/pytest -q -n 2 --dist loadfile -m "$(FAST)"

docs: .venv/.dev  ## write the README's generated tables anew
	@$(BIN)/python -m functions._readme

bench: .venv/.dev  ## the measured claims, each beside its baseline
	@for one in tests/benchmarks/bench_*.py; do echo "== $$one"; $(BIN)/python $$one --check || exit 1; done

clean:  ## remove the environment and the demo world
	@rm -rf .venv .venv-core .almanac build *.egg-info

help:  ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.run: $(PINS)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS)]"
	@touch $@

.venv/.dev: $(PINS)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@ .venv/.run

.venv-core/.made: $(PINS)
	@test -x .venv-core/bin/python || $(PYTHON) -m venv .venv-core
	@grep -v '^pandas==' constraints.txt > .venv-core/pins.txt
	@.venv-core/bin/pip install --quiet --disable-pip-version-check -c .venv-core/pins.txt \
		-e ".[train,explain,air,llm,alerts,mlflow,test]" "pandas==3.1.*"
	@touch $@

.PHONY: install run open test test-fast test-core check docs bench clean help
.DEFAULT_GOAL := help
