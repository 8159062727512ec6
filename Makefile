# Every target sets up what it needs by itself in .venv; a second run starts at once.
# Versions are pinned in constraints.txt. `make PYTHON=python3.13 ...` chooses the interpreter.

PYTHON ?= python3
VENV := .venv
CORE := .venv-core
PEERS := .venv-peers
CARTRIDGE := .venv-cartridge
SPARK := .venv-spark
# Tests start hundreds of processes: what one has compiled, the next one need not.
export PYTHONDONTWRITEBYTECODE :=
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-engines test-spark long-engines long-page long-spark setup setup-bench check format tests tests-wires tests-rest coverage tests-core docs picture bench matrix clean

PIP := bin/python -m pip install -qq --disable-pip-version-check \
	--constraint constraints.txt --build-constraint constraints.txt
PINS := pyproject.toml constraints.txt
EXTRAS := cli,http,collect,django,flask,asgi,i18n,duckdb,clickhouse
say = @echo "== $(1)"

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

# ---- the two commands of a stranger

demo: $(VENV)/.demo ## a small shop, 400 shoppers, and the report about them
	$(call say,demo)
	$(VENV)/bin/python -m examples.flask_shop

# The longest first, for there are two cores: what is short fills the other one.
test: $(VENV)/.dev $(CORE)/.core ## everything that must hold: checks, docs, tests with no extras and with all
	$(call say,tests with all extras; beside them checks and docs and tests with no extras; some minutes)
	rm -f .coverage .coverage.*
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target tests-rest check docs tests-wires tests-core
	$(MAKE) --no-print-directory coverage

test-long: $(VENV)/.servers $(CARTRIDGE)/.cartridge ## the long proofs: kill, fork, full disk, many processes
	$(call say,long proofs; beside each other those whose seconds are not looked at; half an hour)
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target long-engines long-page long-spark
	echo "== long proofs: all others"
	$(VENV)/bin/python -m pytest -q -m "$(LONG)" $(WORKS:%=--ignore=%) --ignore=tests/page

LONG := long and not hours
WORKS := tests/engines tests/metrics tests/rolled
long-engines:
	$(call say,long proofs: the engines and numbers)
	$(VENV)/bin/python -m pytest -q -m "$(LONG)" -p no:cacheprovider $(WORKS)

long-page:
	$(call say,long proofs: the page in a browser)
	$(VENV)/bin/python -m pytest -q -m "$(LONG)" -p no:cacheprovider tests/page

# A part of `make test-spark`, for that takes ten minutes.
long-spark:
	$(call say,long proofs: Spark on a cluster)
	command -v java >/dev/null || { echo "no Java: skipped" >&2; exit 0; }
	$(MAKE) --no-print-directory $(SPARK)/.spark
	$(SPARK)/bin/python -m tests.engines.cluster -q -p no:cacheprovider tests/engines \
		-k "spark and (some_cases or a_frame or everyday or packed_and_fresh)"

test-engines: $(VENV)/.dev ## all conformance cases by all engines: half an hour
	$(call say,engines)
	$(VENV)/bin/python -m pytest -q -m hours tests/engines

test-spark: $(SPARK)/.spark ## the Spark engine on a real cluster of this machine: a master, two workers, Java 17
	$(call say,a cluster of Spark)
	$(SPARK)/bin/python -m tests.engines.cluster -q -p no:cacheprovider tests/engines \
		-k "spark and not all_cases and not very_many and not command_asks and not is_not_there"

# ---- finer ones

setup: $(VENV)/.dev ## .venv with everything for working on lastclick
setup-bench: $(VENV)/.bench

picture: $(VENV)/.dev ## docs/page.png anew, by chromium
	$(call say,picture)
	$(VENV)/bin/python -m scripts.picture

check: $(VENV)/.dev ## ruff, mypy, pyright, import rules
	$(call say,ruff)
	$(VENV)/bin/ruff check --quiet .
	$(VENV)/bin/ruff format --quiet --check .
	echo "== mypy"
	$(VENV)/bin/mypy
	echo "== pyright" # it comes whole from PyPI; the variable keeps it from asking for news
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(VENV)/bin/pyright
	echo "== import rules"
	$(VENV)/bin/python -m pytest -q tests/test_layers.py

format: $(VENV)/.dev ## mend what ruff can mend
	@$(VENV)/bin/ruff check --quiet --fix . || true
	$(VENV)/bin/ruff format --quiet .

tests: $(VENV)/.dev ## the tests, with all extras, and their coverage of src
	$(call say,tests with all extras)
	rm -f .coverage .coverage.*
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target tests-wires tests-rest
	$(MAKE) --no-print-directory coverage

# Who calls pytest gets 100 examples of each law; here, where time is short, it is 40.
SOME := --hypothesis-profile=some
WIRES := tests/sinks tests/delivery tests/integrations tests/engines tests/testing
tests-wires:
	$(call say,tests with all extras: sinks and receivers; integrations; engines; helpers for tests)
	$(VENV)/bin/python -m coverage run -m pytest -q $(SOME) -p no:cacheprovider -m "not long" $(WIRES)

tests-rest:
	$(call say,tests with all extras: all others)
	$(VENV)/bin/python -m coverage run -m pytest -q $(SOME) -m "not long" $(WIRES:%=--ignore=%)

coverage:
	$(call say,coverage of src)
	$(VENV)/bin/python -m coverage combine --quiet
	$(VENV)/bin/python -m coverage report

# Laws are tried on few examples here: `tests-rest` tries the same ones on more.
tests-core: $(CORE)/.core ## the tests, with no extras
	$(call say,tests with no extras)
	$(CORE)/bin/python -m pytest -q --hypothesis-profile=few -p no:cacheprovider -m "not long and not untraced" tests

docs: $(VENV)/.dev ## the documentation, warnings as errors
	$(call say,docs)
	$(VENV)/bin/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	echo "docs/_build/html/index.html"

bench: $(VENV)/.dev $(VENV)/.bench $(PEERS)/.peers ## what a call, a report and an import cost, beside others
	$(call say,benchmarks)
	$(VENV)/bin/python -m benchmarks

matrix: ## the tests on every supported Python that is on this machine
	@.ci/matrix "$(PIP)"

clean: ## remove what the other targets made
	rm -rf .venv .venv-core .venv-peers .venv-cartridge .venv-spark .venv-3.* docs/_build .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# ---- virtual environments: a stamp file says what is installed

%/.made: $(PINS)
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
		echo "lastclick needs Python 3.11 or newer; $(PYTHON) is not. Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	echo "== setting up $*"
	"$(PYTHON)" -m venv $* || {
		echo "$(PYTHON) cannot make a virtual environment; install its venv module (python3-venv on Debian)." >&2; exit 1; }
	$*/bin/python -m pip install -qq --disable-pip-version-check --upgrade --constraint constraints.txt pip
	touch $@

$(VENV)/.demo: $(VENV)/.made
	@echo "== installing what the demo needs"
	$(VENV)/$(PIP) --editable ".[cli]" --group demo
	touch $@

$(VENV)/.dev: $(VENV)/.made
	@echo "== installing what the tests, checks and docs need"
	$(VENV)/$(PIP) --editable ".[$(EXTRAS)]" --group dev
	touch $@ $(VENV)/.demo

$(VENV)/.bench: $(VENV)/.made
	@echo "== installing what the benchmarks compare with"
	$(VENV)/$(PIP) --group bench
	touch $@

$(PEERS)/.peers: $(PEERS)/.made benchmarks/peers.txt
	@echo "== installing what the benchmarks compare with and cannot lie beside it"
	$(PEERS)/bin/python -m pip install -qq --disable-pip-version-check --editable ".[http]" --requirement benchmarks/peers.txt
	touch $@

$(CARTRIDGE)/.cartridge: $(CARTRIDGE)/.made tests/cartridge/requirements.txt
	@echo "== installing Mezzanine's Cartridge, which wants an older Django than we do"
	$(CARTRIDGE)/bin/python -m pip install -qq --disable-pip-version-check --requirement tests/cartridge/requirements.txt
	touch $@

$(SPARK)/.spark: $(SPARK)/.made tests/engines/cluster.txt
	@echo "== installing Spark, which brings the module of its own client"
	command -v java >/dev/null || { echo "Spark needs Java 17: apt-get install openjdk-17-jre-headless" >&2; exit 1; }
	$(SPARK)/bin/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable . --requirement tests/engines/cluster.txt --group core
	touch $@

$(VENV)/.servers: $(VENV)/.dev scripts/servers
	@echo "== installing what the long proofs run"
	$(VENV)/$(PIP) --group servers --group shops
	scripts/servers $(VENV)
	touch $@

$(CORE)/.core: $(CORE)/.made
	@echo "== installing lastclick without extras"
	$(CORE)/$(PIP) --editable . --group core
	touch $@

.PRECIOUS: %/.made
