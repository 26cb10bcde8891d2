# Fairlead's own commands. A fresh machine needs Python >= 3.11 with venv, make and git; everything else is installed into
# .venv from requirements/*.txt, whose every file is pinned by hash. Stamp files make the second run quick.

VENV    := .venv
BIN     := $(VENV)/bin
CACHE   := .cache
PYTHONS  = $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
N       ?= 1000
# Two workers for each processor: tests of a cluster wait as much as they compute.
WORKERS ?= $(shell expr `getconf _NPROCESSORS_ONLN` \* 2)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The programs of .venv come first for whatever a recipe starts, also for the nodes of the demo.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install demo test lint lint-ruff lint-format lint-mypy lint-imports format bench simulate cluster image crds deploy docs lock clean distclean
.DELETE_ON_ERROR:

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.run ## install into .venv what running Fairlead needs

demo: $(VENV)/.run ## run examples/release-check.yaml on this repository itself
	@mkdir -p $(CACHE)
	$(BIN)/fairlead run examples/release-check.yaml --store $(CACHE)/demo.db

test: $(VENV)/.dev ## run every test that this machine can run (ARGS="-k name" narrows it)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: lint-ruff lint-format lint-mypy lint-imports ## ruff, mypy strict, import contracts (-k: all, even if one fails)
lint-ruff: $(VENV)/.dev
	$(BIN)/ruff check
lint-format: $(VENV)/.dev
	$(BIN)/ruff format --check
lint-mypy: $(VENV)/.dev
	$(BIN)/mypy
lint-imports: $(VENV)/.dev
	$(BIN)/lint-imports --cache-dir $(CACHE)/import-linter

format: $(VENV)/.dev ## let ruff rewrite what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.dev ## run every benchmark of bench/, each prints its rates and ratios
	@for script in bench/bench_*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

simulate: $(VENV)/.dev ## N random cases for every simulation and property test, SEED=... repeats a round
	@seed=$${SEED:-$$($(BIN)/python -c 'import secrets; print(secrets.randbelow(2**32))')}; \
	  echo "seed $$seed (again: make simulate N=$(N) SEED=$$seed)"; \
	  FAIRLEAD_SIMULATIONS=$(N) $(BIN)/python -m pytest -n auto -m "simulation or hypothesis" --timeout 0 --hypothesis-seed="$$seed" $(ARGS)

cluster: $(VENV)/.dev ## bring up a Kubernetes cluster to play with, until Ctrl-C (ARGS=--real adds a node that runs pods)
	@$(BIN)/python -m tests.cluster $(ARGS)

image: $(VENV)/.run ## build the images of operator and runner into dist/ (BASE=IMAGE: on that one, where a registry is)
	@images/build $(BIN)/python

crds: $(VENV)/.run ## write crds/ anew from the model, and the copies that the chart brings
	$(BIN)/python -m fairlead.apps.crds crds
	$(BIN)/python -m fairlead.apps.crds charts/fairlead/files/crds

deploy: $(VENV)/.dev ## write deploy/ anew: what the chart gives with its own values, for `kubectl apply -k deploy`
	$(BIN)/python -m tests.support.charts deploy/fairlead.yaml

docs: $(VENV)/.run ## write the generated tables and pictures of docs/ anew
	$(BIN)/python -m fairlead.apps.docs docs

lock: $(VENV)/.lock ## pin every dependency anew by version and hash (no addresses)
	$(call compile,run,pyproject.toml --group build)
	$(call compile,runner,--group runner --constraint requirements/run.txt)
	$(call compile,dev,pyproject.toml --group build --group dev --constraint requirements/run.txt)
	$(call compile,lock,--group lock)
	$(call compile,go,--group go)

compile = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" --output-file requirements/$(1).txt $(2)

clean: ## remove caches and what was built, keep .venv
	rm -rf $(CACHE) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find operator runner_image tests bench examples -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf $(VENV)

# ------------------------------------------------------------------------------------------------------ the environment
# The stamp is set once pip answers, so that an interrupted creation is made good.
$(VENV)/.made:
	@if $(BIN)/python -m pip --version >/dev/null 2>&1; then touch $@; exit; fi; \
	too_old=""; no_venv=""; \
	for py in $(PYTHONS); do \
	  version=$$("$$py" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue; \
	  "$$py" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { too_old="$$too_old $$py is $$version;"; continue; }; \
	  "$$py" -c 'import ensurepip, venv' 2>/dev/null || { no_venv="$$no_venv $$py"; continue; }; \
	  echo "creating $(VENV) with $$py ($$version)"; \
	  "$$py" -m venv --clear $(VENV) && touch $@; exit; \
	done; \
	if [ -n "$$no_venv" ]; then \
	  echo "Found$$no_venv without the venv module; install it (on Debian: apt-get install python3-venv)." >&2; \
	else \
	  echo "Found no Python 3.11 or newer among $(PYTHONS);$$too_old install one or say PYTHON=/path/to/python." >&2; \
	fi; exit 1

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/.made
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.lock: requirements/lock.txt | $(VENV)/.made
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/lock.txt
	@touch $@
