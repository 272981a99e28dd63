# Kaoji. `make run` and `make test` are all one needs; the rest are their parts.
# PYTHON=python3.13 takes another Python, VENV=/some/folder another environment, ARGS="-k name" goes to pytest,
# PG=system takes the PostgreSQL of the machine for the tests.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
PYTHON ?= python3
VENV ?= .venv
MUTATION := .venv-mutation
BIN := $(VENV)/bin
ARGS ?=
PG ?= wheel
CATALOGUE := translations/zh/LC_MESSAGES/messages
.DEFAULT_GOAL := help
.PHONY: help catalogue install run worker beat test quick bare newcomer lint types imports i18n migrate seed drift check bench storm mutation lock browser hooks

# An environment is of one Python, one place and one lock: its stamps are named after them, so it is made anew when one changes.
stamp = $(shell $(PYTHON) -c 'import hashlib, os, sys; \
  parts = [sys.version, os.path.realpath(sys.executable), os.path.abspath("$(VENV)")] + [open(name).read() for name in sys.argv[1:]]; \
  print(hashlib.sha256(repr(parts).encode()).hexdigest()[:16])' $(1))
RUN := $(VENV)/run-$(call stamp,requirements.txt)
DEV := $(VENV)/dev-$(call stamp,requirements.txt requirements-dev.txt)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install --require-hashes

help: ## what there is
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(RUN):
	@echo "Preparing the environment $(VENV) (a minute or two, once) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 2))' || { echo "Kaoji needs Python 3.11.2 or newer; PYTHON=... names another"; exit 1; }
	@test ! -e $(VENV) || test -e $(VENV)/of-kaoji || { echo "$(VENV) is there and not made by this Makefile: remove it"; exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No environment could be made: apt install python3-venv"; exit 1; }
	@touch $(VENV)/of-kaoji
	@$(PIP) -r requirements.txt || { rm -rf $(VENV); echo "The requirements could not be installed; see above."; exit 1; }
	@$(BIN)/python -m pip --quiet --disable-pip-version-check check
	@touch $@

# What an older lock brought goes with the environment it brought it to.
$(DEV): | $(RUN)
	@if compgen -G "$(VENV)/dev-*" >/dev/null; then rm -rf $(VENV); $(MAKE) --no-print-directory $(RUN); fi
	@$(PIP) -r requirements-dev.txt
	@touch $@

# pybabel passes over a catalogue it takes for unfinished and still ends well: what counts is the file, and what is in it.
$(CATALOGUE).mo: $(CATALOGUE).po | $(RUN)
	@$(MAKE) --no-print-directory catalogue

catalogue:
	@rm -f $(CATALOGUE).mo
	@$(BIN)/pybabel --quiet compile --directory translations
	@test -s $(CATALOGUE).mo || { echo "$(CATALOGUE).po was not compiled: its header is missing or marked fuzzy"; exit 1; }

install: $(RUN) $(CATALOGUE).mo ## prepare the environment; starts nothing

run: install ## everything: environment, database, sample bureau, web, worker, beat, broker
	@exec $(BIN)/python run.py

worker: install ## one more Celery worker (set DATABASE_URL, BROKER_URL)
	$(BIN)/celery --app app.celery_app worker --without-gossip --without-mingle

beat: install ## the doorbell alone
	$(BIN)/celery --app app.celery_app beat --scheduler celery.beat.Scheduler --pidfile ""

# Asked is whether it starts and has letters, not whether a program of that name is there. Without it the other tests
# run, and the end says what was left out.
browser: $(DEV)
	@$(BIN)/python -m tests.machine || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing Chromium, a Chinese font and nginx ..."; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk fontconfig nginx-light >/dev/null; \
	fi

test: $(DEV) $(CATALOGUE).mo browser ## all tests, with real databases, broker and browser
	PG=$(PG) $(BIN)/python -m pytest -n 2 $(ARGS)

quick: $(DEV) $(CATALOGUE).mo ## what one runs between edits: no browser, launcher, storm or PostgreSQL
	$(BIN)/python -m pytest -n 2 -m "not slow and not browser and not postgresql" $(ARGS)

newcomer: $(DEV) ## what a newcomer does: clone, install, run, sign in, in two modes
	$(BIN)/python -m pytest tests/newcomer $(ARGS)

bare: ## the same in bare Debian 12 and 13, as an ordinary user (root, debootstrap; takes half an hour)
	tests/newcomer/bare bookworm trixie

lint: $(DEV) ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV) ## types
	$(BIN)/mypy

imports: $(DEV) ## who may import what
	$(BIN)/lint-imports

i18n: $(DEV) ## bring the Chinese catalogue in line with the code; new sentences are left empty
	$(BIN)/pybabel --quiet extract -F babel.cfg -k N_ -k _ -k lazy_gettext --no-location --sort-output --no-wrap -o translations/messages.pot .
	$(BIN)/pybabel --quiet update -i translations/messages.pot -d translations --no-fuzzy-matching --no-wrap --ignore-pot-creation-date
	@$(MAKE) --no-print-directory catalogue

migrate: $(DEV) ## draft a migration from the models: make migrate m="add x to y"
	$(BIN)/flask db migrate -m "$(m)"

drift: $(DEV) ## models and migrations agree
	$(BIN)/python -m pytest -q tests/house -k drift

seed: install ## prepare a data folder with the sample bureau
	$(BIN)/flask init --sample

check: lint types imports test ## everything that must be green

bench: $(DEV) $(CATALOGUE).mo ## speed, printed as ratios
	$(BIN)/python -m tests.bench

storm: $(DEV) $(CATALOGUE).mo ## kill everything at random for two minutes, on both stacks; prints what is left
	$(BIN)/python -m tests.storm

MUT := $(MUTATION)/made-$(call stamp,requirements-dev.txt requirements-mutation.txt)
$(MUT):
	@rm -rf $(MUTATION)
	$(PYTHON) -m venv $(MUTATION)
	$(MUTATION)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(MUTATION)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-mutation.txt
	@touch $@

mutation: $(MUT) ## change the rules in thousands of ways, one by one: the tests must notice 90 %; takes a while
	@rm -rf mutants && mkdir mutants
	@$(MUTATION)/bin/mutmut run --max-children 2 > mutants/run.log || { tail -c 2000 mutants/run.log; exit 1; }
	@$(MUTATION)/bin/mutmut results --all true | $(MUTATION)/bin/python -m tests.mutation 90

# One lock for every Python that README promises: universal, from the oldest (Debian 12) on.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11.2 --generate-hashes --no-header --no-annotate --no-emit-index-url
lock: $(DEV) ## renew the lock files from requirements*.in
	$(LOCK) --upgrade -o requirements.txt requirements.in
	$(LOCK) --upgrade -o requirements-dev.txt requirements-dev.in
	$(LOCK) --upgrade -o requirements-mutation.txt requirements-mutation.in

hooks: $(DEV) ## run the checks before each commit
	$(BIN)/pre-commit install
