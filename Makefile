# `make help` says what there is. Nothing here needs more than Python 3.11, make and a shell.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
NODE   := tests/node/node_modules/.package-lock.json
LITELLM := bench/.litellm/.installed

.DEFAULT_GOAL := help
# One thing after the other: the last lines of `make test` are pytest's own.
.NOTPARALLEL:
.PHONY: help install install-dev run stack test check format coverage fault-test alert-test dashboard-test preview bench bench-full bench-service docs lock upgrade system-packages clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## install YYChat and what it runs on into .venv

install-dev: $(VENV)/.installed-dev ## the same, with what the tests and checks need

run: install ## start YYChat on http://127.0.0.1:8000 (no key, Redis or provider needed)
	$(BIN)/yychat serve

stack: system-packages install-dev ## run it all here: two instances, Redis, Prometheus, Alertmanager, a load
	@sh scripts/stack.sh

test: system-packages install-dev check $(NODE) ## check, then run every test (PYTEST_ARGS="-k name" for some)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

fault-test: system-packages install-dev ## break Redis under load and kill workers; prints the figures (about 6 minutes)
	$(BIN)/python -m pytest $(PYTEST_ARGS) tests/fault

alert-test: system-packages install-dev ## break one thing after the other, see who is told and how soon (about 12 minutes)
	$(BIN)/python -m pytest -o faulthandler_timeout=600 $(PYTEST_ARGS) tests/alerts

dashboard-test: system-packages install-dev ## ask every board's queries of a running service, find six faults on them (about 9 minutes)
	$(BIN)/python -m pytest -o faulthandler_timeout=900 $(PYTEST_ARGS) tests/dashboards

preview: system-packages install-dev ## draw the boards into docs/images as Grafana would (Node, Chromium; about 6 minutes)
	VENV=$(VENV) sh scripts/preview.sh

check: install-dev ## lint, formatting, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: install-dev ## let ruff repair what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

coverage: install-dev $(NODE) ## run the tests and show the lines none of them reached
	$(BIN)/coverage run -m pytest $(PYTEST_ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench: system-packages install-dev $(LITELLM) ## time the service beside a bare passthrough and LiteLLM (about 10 minutes, quiet machine)
	$(BIN)/python bench/field.py

bench-full: system-packages install-dev $(LITELLM) ## the same with more of everything, into bench/field.json and bench/README.md (30 minutes)
	$(BIN)/python bench/field.py --full --json bench/field.json --readme

bench-service: install ## time the service: start, added latency, CPU, paced streams (about 5 minutes, quiet machine)
	$(BIN)/python bench/service.py all --json bench-service.json

docs: install ## rewrite the generated pages in docs/, and Grafana's boards
	$(BIN)/yychat docs configuration > docs/configuration.md.new
	mv docs/configuration.md.new docs/configuration.md
	$(BIN)/python grafana/build.py
	$(BIN)/python grafana/shown.py > docs/metrics.json.new
	$(BIN)/yychat docs metrics --shown docs/metrics.json.new > docs/metrics.md.new
	mv docs/metrics.md.new docs/metrics.md
	rm docs/metrics.json.new

lock: ## write the lock files again after a change in pyproject.toml or package.json
	PYTHON=$(PYTHON) sh scripts/lock.sh
	npm --prefix tests/node install --package-lock-only
	npm --prefix grafana/preview install --package-lock-only

upgrade: ## the same, taking the newest version of every Python package
	PYTHON=$(PYTHON) sh scripts/lock.sh --upgrade

system-packages: ## install the programs the tests need besides Python (Debian, Ubuntu)
	@PYTHON=$(PYTHON) sh scripts/system-packages.sh

clean: ## remove what make and the tools wrote (not your data)
	rm -rf $(VENV) bench/.litellm tests/node/node_modules build dist src/*.egg-info htmlcov .coverage .coverage.* \
		.hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

# The stamps: installing again happens when a lock or the project's table changed, not otherwise.

$(BIN)/pip:
	@PYTHON=$(PYTHON) sh scripts/check-python.sh
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/pip
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

# Its packages are not ours: LiteLLM needs another version of the OpenAI SDK.
$(LITELLM): bench/requirements-litellm.txt
	$(PYTHON) -m venv bench/.litellm
	bench/.litellm/bin/python -m pip --disable-pip-version-check --quiet install -r $<
	@touch $@

$(NODE): tests/node/package.json tests/node/package-lock.json
	npm --prefix tests/node ci
	@touch $@
