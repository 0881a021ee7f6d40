# Two commands for everyone: `make run` and `make test`. The rest is for those who work on it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run test test-all check live bench bench-measure fmt lock clean

help:
	@echo "make run       start the gateway on port 3000, with an embedded database and a local model"
	@echo "make test      run the tests (under ten minutes)"
	@echo "make test-all  the same, with SDK matrix, slow engines, chaos and oracles of statistics"
	@echo "make check     format, lint, types, layers, architecture"
	@echo "make live      the providers' battery against real ones, for whichever keys are in the environment"
	@echo "make bench     measure against peers; writes bench/results"
	@echo "make bench-measure  whether the statistics hold what they say; writes bench/results/measurement.md"
	@echo "make fmt       format the code"
	@echo "make lock      renew the lock files"

# An environment is ready when its stamp is newer than its lock.
$(VENV)/run.stamp: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/test.stamp: requirements-dev.lock $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# Without what they declare; pyproject.toml says why.
$(VENV)/oracles.stamp: requirements-oracles.lock $(VENV)/test.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-oracles.lock
	touch $@

run: $(VENV)/run.stamp
	$(BIN)/calibrant up

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow and not live"

test-all: $(VENV)/oracles.stamp
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not live"

live: $(VENV)/test.stamp
	$(BIN)/python -m pytest -q -m live --timeout 300

check: $(VENV)/test.stamp
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/pyright --project pyproject.toml --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q tests/architecture

bench: $(VENV)/test.stamp
	$(BIN)/python bench/gateway/run.py
	$(BIN)/python -m bench.gateway.profile
	$(BIN)/python -m bench.codecs

bench-measure: $(VENV)/test.stamp
	$(BIN)/python -m bench.measurement.run

fmt: $(VENV)/test.stamp
	$(BIN)/ruff format src tests bench
	$(BIN)/ruff check --fix src tests bench

lock:
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -o requirements.lock pyproject.toml requirements.in
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --group test --group judges --group check -c requirements.lock -o requirements-dev.lock pyproject.toml requirements.in
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-deps --group oracles -c requirements-dev.lock -o requirements-oracles.lock

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build dist
