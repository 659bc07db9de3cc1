# Thin: every target is one command of the project's own tools. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help env demo ui mlflow test test-all lint bench team-demo real clean

PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.made
FIND_LINKS := $(if $(PIP_FIND_LINKS),--find-links "$(PIP_FIND_LINKS)")
OVERRIDES ?=
PORT ?= 3000
MLFLOW_PORT ?= 5000

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

env: $(STAMP) ## .venv from the pinned lock, with the hornbook script

$(STAMP): requirements.lock pyproject.toml Makefile
	@command -v $(PYTHON) >/dev/null || { echo "hornbook needs Python 3.11: install it or set PYTHON=/path/to/python3.11"; exit 2; }
	@echo "making .venv (a minute or two, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
	@$(BIN)/uv pip install --python $(BIN)/python $(FIND_LINKS) -r requirements.lock
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps -e .
	@$(BIN)/uv pip install --quiet --no-deps --target .venv/antlr-4.13 antlr4-python3-runtime==4.13.2
	@! git rev-parse --git-dir >/dev/null 2>&1 || git config filter.hornbook-lock.clean 'sh -c "if [ -x .venv/bin/python ]; then exec .venv/bin/python -m hornbook.lineage.lock_filter; else exec cat; fi"'
	@touch $@

demo: env ## the whole graph at scale=laptop, then the table (OVERRIDES="scale=smoke" for a quick look)
	@$(BIN)/hornbook demo $(OVERRIDES)

ui: env ## Dagster at http://127.0.0.1:3000 and MLflow at :5000 (PORT=3001 MLFLOW_PORT=5001: there)
	@$(BIN)/python -m dagster_project.ui --port $(PORT) --mlflow-port $(MLFLOW_PORT)

mlflow: env ## MLflow alone
	@$(BIN)/python -m dagster_project.ui --mlflow-only --mlflow-port $(MLFLOW_PORT)

test: env ## the tests that fit into a few minutes
	@$(BIN)/python -m pytest -n 2 -m "not slow and not browser and not gpu"

test-all: env ## also the whole graph, the acceptance checks and the browser
	@$(BIN)/python -m pytest -m "not gpu"

lint: env ## ruff, pyright, the conf and dvc.yaml checks
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright
	@$(BIN)/hornbook compose --check && $(BIN)/hornbook code-deps

bench: env ## side by side with peers, into docs/performance.md
	@$(BIN)/python bench/every.py

team-demo: env ## two clones, S3 and PostgreSQL: a story that passes on its own (docs/team.md)
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps $(FIND_LINKS) -r tests/team/requirements.lock
	@$(BIN)/python tests/team/story.py
