# Kaoji. `make run` and `make test` are all one needs; the rest are their parts.
PYTHON ?= python3
VENV := .venv
MUTATION := .venv-mutation
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help install run worker beat test lint types imports i18n migrate seed drift check bench storm mutation lock browser hooks

help: ## what there is
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/.run

translations/zh/LC_MESSAGES/messages.mo: translations/zh/LC_MESSAGES/messages.po $(VENV)/.run
	$(BIN)/pybabel --quiet compile --directory translations

install: $(VENV)/.run translations/zh/LC_MESSAGES/messages.mo ## prepare the environment; starts nothing

run: install ## everything: environment, database, sample bureau, web, worker, beat, broker
	@exec $(BIN)/python run.py

worker: install ## one more Celery worker (set DATABASE_URL, BROKER_URL)
	$(BIN)/celery --app app.celery_app worker --without-gossip --without-mingle

beat: install ## the doorbell alone
	$(BIN)/celery --app app.celery_app beat --scheduler celery.beat.Scheduler --pidfile ""

browser: ## Chromium and a Chinese font, from Debian where root and apt are at hand
	@if command -v chromium >/dev/null && fc-list :lang=zh 2>/dev/null | grep -q .; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-noto-cjk >/dev/null; \
	else echo "The browser tests need Chromium and a Chinese font: apt install chromium fonts-noto-cjk"; exit 1; fi

test: $(VENV)/.dev translations/zh/LC_MESSAGES/messages.mo browser ## all tests, with real databases, broker and browser
	$(BIN)/pytest -q

lint: $(VENV)/.dev ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## types
	$(BIN)/mypy

imports: $(VENV)/.dev ## who may import what
	$(BIN)/lint-imports

i18n: $(VENV)/.dev ## bring the Chinese catalogue in line with the code; new sentences are left empty
	$(BIN)/pybabel --quiet extract -F babel.cfg -k N_ -k _ -k lazy_gettext --no-location --sort-output --no-wrap -o translations/messages.pot .
	$(BIN)/pybabel --quiet update -i translations/messages.pot -d translations --no-fuzzy-matching --no-wrap --omit-header
	$(BIN)/pybabel --quiet compile --directory translations

migrate: $(VENV)/.dev ## draft a migration from the models: make migrate m="add x to y"
	$(BIN)/flask db migrate -m "$(m)"

drift: $(VENV)/.dev ## models and migrations agree
	$(BIN)/pytest -q tests/house -k drift

seed: install ## prepare a data folder with the sample bureau
	$(BIN)/flask init --sample

check: lint types imports test ## everything that must be green

bench: $(VENV)/.dev translations/zh/LC_MESSAGES/messages.mo ## speed, printed as ratios
	$(BIN)/python -m tests.bench

storm: $(VENV)/.dev translations/zh/LC_MESSAGES/messages.mo ## kill everything at random for two minutes, on both stacks; prints what is left
	$(BIN)/python -m tests.storm

$(MUTATION)/.dev: requirements-mutation.txt requirements-dev.txt
	$(PYTHON) -m venv $(MUTATION)
	$(MUTATION)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(MUTATION)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-mutation.txt
	@touch $@

mutation: $(MUTATION)/.dev ## change the rules in thousands of ways, one by one: the tests must notice 90 %; takes a while
	@rm -rf mutants && mkdir mutants
	@$(MUTATION)/bin/mutmut run --max-children 2 > mutants/run.log || { tail -c 2000 mutants/run.log; exit 1; }
	@$(MUTATION)/bin/mutmut results --all true | $(MUTATION)/bin/python -m tests.mutation 90

lock: ## renew the lock files from requirements*.in
	$(BIN)/pip-compile -q --upgrade --generate-hashes --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --no-annotate --allow-unsafe -o requirements.txt requirements.in
	$(BIN)/pip-compile -q --upgrade --generate-hashes --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --no-annotate --allow-unsafe -o requirements-dev.txt requirements-dev.in

hooks: $(VENV)/.dev ## run the checks before each commit
	$(BIN)/pre-commit install
