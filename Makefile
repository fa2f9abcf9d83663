# Everything a person needs is one target away; `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The SDK's first generation, which the contract tests drive too; it cannot be installed beside the second.
OLD_CLIENT := lakehouse_tests/contract/airbyte-api-0
TOOL := $(VENV)/.uv
CDK := $(VENV)/.airbyte-cdk
UV := $(shell command -v uv 2>/dev/null || echo $(TOOL)/bin/uv)
# The first Python that runs and has the right version; a name on the PATH may be a shim without one behind it.
PYTHON ?= $(shell for name in python3.11 python3.12 python3; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' >/dev/null 2>&1 \
	&& command -v $$name && break; done)

NO_PYTHON := error: no Python 3.11 or 3.12 found; install one or set PYTHON=/path/to/python

export UV_PYTHON_DOWNLOADS := never

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(STAMP) ## Create .venv with exactly the locked packages; done once until the lock changes.

.PHONY: superset
superset: $(STAMP) ## Install Superset, once for every home and for the tests that need it.
	$(BIN)/python -m lakehouse.embedded.superset.installation

.PHONY: demo
demo: $(STAMP) ## Build a lakehouse from a live database and from files, and query it.
	$(BIN)/lakehouse demo

.PHONY: up
up: $(STAMP) ## Start Postgres, Airbyte, Dremio, Dagster and the API here; Ctrl-C stops them.
	$(BIN)/lakehouse up

.PHONY: down
down: $(STAMP) ## Stop what `make up` started, from another terminal.
	$(BIN)/lakehouse down

.PHONY: test
test: $(STAMP) ## Run every test, on two processes.
	$(BIN)/pytest -n 2 --dist loadfile

.PHONY: lint
lint: $(STAMP) ## Check style, types, import contracts and SQL.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_project/models dbt_project/tests

.PHONY: docs
docs: $(STAMP) ## Build the documentation site into build/site; a broken link is an error.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

.PHONY: lock
lock: $(UV) ## Write requirements.lock anew from pyproject.toml.
	$(UV) pip compile pyproject.toml --extra demo --extra dev --extra dataframes --extra site --generate-hashes --python-version 3.11 \
		--quiet --upgrade -o requirements.lock
	echo "airbyte-api<1" | $(UV) pip compile - --generate-hashes --python-version 3.11 --no-header \
		--quiet --upgrade -o $(OLD_CLIENT).lock
	echo "airbyte-cdk>=7.39,<8" | $(UV) pip compile - --generate-hashes --python-version 3.11 --no-header \
		--quiet --upgrade -o requirements-airbyte-cdk.lock
	$(UV) pip compile lakehouse/embedded/superset/requirements.in --generate-hashes --python-version 3.11 --no-header \
		--quiet --upgrade -o lakehouse/embedded/superset/requirements.lock

$(STAMP): requirements.lock requirements-airbyte-cdk.lock $(OLD_CLIENT).lock pyproject.toml | $(UV)
	@[ -n "$(PYTHON)" ] || { echo "$(NO_PYTHON)" >&2; exit 1; }
	@[ -x $(BIN)/python ] || $(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --require-hashes --compile-bytecode --python $(BIN)/python requirements.lock
	$(UV) pip install --quiet --no-deps --python $(BIN)/python -e .
	$(UV) pip install --quiet --require-hashes --python $(BIN)/python --target $(VENV)/airbyte-api-0 -r $(OLD_CLIENT).lock
	@# What runs low-code connectors, in an environment of its own: its packages and ours do not agree.
	@[ -x $(CDK)/bin/python ] || $(UV) venv --quiet --python $(PYTHON) $(CDK)
	$(UV) pip sync --quiet --require-hashes --compile-bytecode --python $(CDK)/bin/python requirements-airbyte-cdk.lock
	@touch $(STAMP)

# uv in a corner of its own: installing the lock removes from .venv whatever the lock does not hold. Debian ships
# Python without venv and without pip; as root there, the missing package is installed.
$(TOOL)/bin/uv:
	@[ -n "$(PYTHON)" ] || { echo "$(NO_PYTHON)" >&2; exit 1; }
	@mkdir -p $(VENV)
	@has_venv() { $(PYTHON) -c 'import ensurepip; ensurepip.version()' 2>/dev/null; }; \
	has_pip() { $(PYTHON) -m pip --version >/dev/null 2>&1; }; \
	if ! has_venv && ! has_pip && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "$(PYTHON) has neither venv nor pip: installing Debian's python3-venv"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null; \
	fi; \
	if has_venv; then \
		$(PYTHON) -m venv $(TOOL) && $(TOOL)/bin/python -m pip install --quiet uv; \
	elif has_pip; then \
		$(PYTHON) -m pip install --quiet --target $(TOOL) uv; \
	else \
		echo "error: $(PYTHON) has neither venv nor pip; install uv, or on Debian: apt-get install python3-venv" >&2; \
		exit 1; \
	fi
