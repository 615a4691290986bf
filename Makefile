# Fresh Debian with Python 3.11 and make is all that is assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory

.PHONY: setup setup-run run test check lint bench docs picture validation clean
.DEFAULT_GOAL := help

help:
	@echo "make run     set up, run the shipped example, print where the report is"
	@echo "make test    set up, run the tests"
	@echo "make check   lint, types, import rules, tests"
	@echo "make bench   speed figures      make docs  build and check the site      make clean  remove .venv"

$(VENV)/run.stamp: requirements.lock pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || \
	  { echo "no virtual environment: on Debian, apt-get install python3-venv"; exit 1; }
	@echo "installing what lineshaft needs (once, about a minute) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

setup-run: $(VENV)/run.stamp
setup: $(VENV)/dev.stamp

run: setup-run
	$(BIN)/lineshaft run

test: setup
	$(BIN)/python -m pytest -q

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

check: lint
	$(MAKE) test

bench: setup
	@for f in bench/*.py; do echo "== $$f"; $(BIN)/python $$f || exit 1; done

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/python -m pytest -q tests/test_readme.py tests/docs tests/test_notebook.py tests/catalog
	@echo "open site/index.html"

# What ships of model against measured, and the page that shows it.
validation: setup
	$(BIN)/lineshaft validate $(if $(DATA),--data $(DATA)) --write
	$(BIN)/lineshaft validate --markdown > docs/validation.md

# The picture of the README: the head of a real report.
picture: setup-run
	@rm -rf runs/picture && mkdir -p runs
	$(BIN)/lineshaft run gigawatt --draws 512 -o runs/picture
	chromium --headless --no-sandbox --hide-scrollbars --force-device-scale-factor=1 \
	  --window-size=1280,1420 --virtual-time-budget=8000 \
	  --screenshot=docs/report.png "file://$(CURDIR)/runs/picture/report.html"

clean:
	rm -rf $(VENV) runs site .pytest_cache .mypy_cache .ruff_cache .hypothesis
