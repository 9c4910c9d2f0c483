# Two commands do everything on a fresh machine: `make demo` and `make test`. Nothing but Python 3.11+ and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?=
ARGS ?=
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs
.DEFAULT_GOAL := help

.PHONY: help setup demo test chaos contract browser check docs format up lock clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/.installed  ## Make .venv and install the pinned packages into it

$(VENV)/.installed: requirements.lock pyproject.toml client/pyproject.toml
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info[:2] <= (3, 13), "Python 3.11 to 3.13 is needed"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e client
	@touch $@

demo: setup  ## Upload, train, watch, download, compare. DATA=path/to/images-or-archive does it on your own pictures
	$(BIN)/pretext-server demo $(if $(DATA),"$(DATA)") $(ARGS)

test: setup browser  ## Run every test
	$(BIN)/python -m pytest -n 2 $(ARGS)

chaos: setup  ## Kill, freeze, fill up and restart everything under load, at length (about half an hour)
	PRETEXT_LONG_CHAOS=1 $(BIN)/python -m pytest -s tests/chaos $(ARGS)

contract: setup  ## Ask the API thousands of requests made from its own document, and hold every answer to it
	SCHEMATHESIS_EXAMPLES=$${SCHEMATHESIS_EXAMPLES:-100} $(BIN)/python -m pytest -s --timeout 3600 tests/api/test_contract.py $(ARGS)

browser: setup  ## Install a Chromium for the tests of the page, if there is none
	@.ci/browser $(BIN)/python

check: setup  ## Lint, check types and imports between packages, build the documentation strictly
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MKDOCS) build --quiet --strict

docs: setup  ## Read the documentation on http://127.0.0.1:8010
	$(MKDOCS) serve --dev-addr 127.0.0.1:8010

format:  setup  ## Format the code, mend what the linter can, and make the client for `await`
	$(BIN)/python client/make_async
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

up: setup  ## Run the service until Ctrl-C
	$(BIN)/pretext-server up $(ARGS)

lock:  ## Pin the newest packages that pyproject.toml admits
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet '.[api,worker,dashboard,embedded,dev]' ./client
	build/lock/bin/pip freeze --all --exclude pip --exclude pretext-server --exclude pretext-client | sed 's/+cpu$$//' > requirements.lock

clean:  ## Remove what make made
	rm -rf $(VENV) build *.egg-info client/*.egg-info .mypy_cache .ruff_cache .import_linter_cache .hypothesis
