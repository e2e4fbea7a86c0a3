# Everything here sets itself up: a machine needs Python 3.11 or newer with
# venv (Debian: python3 python3-venv) and make. Whatever is fetched is locked,
# by version and hash, in requirements/.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help serve test test-outside test-hosts test-clusters check docs bench format release lock clean setup setup-serve services wheel setup-test setup-hosts ready

ARGS ?=
export PYTHON
export UV_PYTHON_DOWNLOADS := never

BIN := .venv/bin
WHEELS := build/wheel
# `-P` keeps the working directory off the import path, so that the tests see
# what was installed and nothing else.
PYTEST := python -P -m pytest

help: ## this list
	@echo 'make TARGET [ARGS="..."] [PYTHON=python3.12]'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile

serve: setup-serve ## run the service; ARGS="--port 8000 --workers 4"
	@exec $(BIN)/dibs serve $(ARGS)

# More workers than most machines have processors, since the slowest tests wait:
# for deadlines, and for servers that stand still. ARGS="-n 0 --pdb" has none.
# Images of containers often forbid Python to keep what it compiled: then each of the
# hundreds of processes that the tests start would compile all that it imports.
test: export PYTHONDONTWRITEBYTECODE :=
test: ready ## check, then test the built wheel; ARGS="-k sqlite -x"
	@exec .venv-test/bin/$(PYTEST) -n 4 $(ARGS)

# The check keeps one processor busy; another one makes the rest meanwhile, and compiles
# the tests, or each of the processes below would do it for itself.
ready: setup services
	@$(MAKE) --no-print-directory check & checked=$$!; \
	$(MAKE) --no-print-directory setup-test docs && \
	{ .venv-test/bin/$(PYTEST) --collect-only -q >build/tests.txt || true; } && wait $$checked

test-outside: export PYTHONDONTWRITEBYTECODE :=
test-outside: setup-test docs ## then the service from outside: by Chromium and by schemathesis
	@# Where it cannot be had, the browser with windows does the same, slowly.
	@scripts/install-services headless >/dev/null 2>&1 || true
	@scripts/install-services postgresql redis chromium fonts || test -z "$$CI"
	@exec .venv-test/bin/$(PYTEST) -n 4 tests/browser tests/web/test_schemathesis.py $(ARGS)

test-hosts: export PYTHONDONTWRITEBYTECODE :=
test-hosts: setup-hosts ## then in apps of other libraries, with the oldest versions, the core alone, the image
	@scripts/install-services postgresql redis || test -z "$$CI"
	@exec .venv-test/bin/$(PYTEST) -n 4 tests/hosts $(ARGS)

test-clusters: export PYTHONDONTWRITEBYTECODE :=
test-clusters: setup-test ## then servers of several nodes, and services on all of them
	@scripts/install-services postgresql mariadb redis faketime pgbouncer galera haproxy patroni etcd || test -z "$$CI"
	@exec .venv-test/bin/$(PYTEST) tests/clusters $(ARGS)

check: setup ## lint, formatting, types, the direction of imports
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check
	@$(BIN)/mypy --no-error-summary
	@# Its cache overlooks imports of a module that was added later.
	@$(BIN)/lint-imports --no-logo --no-cache >build/imports.txt 2>&1 || { cat build/imports.txt; exit 1; }
	@echo "dibs: lint, formatting, types and imports are in order" >&2

format: setup ## put formatting and import order right
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format --quiet

docs: setup ## the documentation site, strictly, into build/site
	@scripts/sync .venv-docs requirements/docs.txt none
	@# With --quiet it would not hear of the warnings itself, and --strict would do nothing.
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict >build/site.txt 2>&1 || { cat build/site.txt; exit 1; }
	@echo "dibs: build/site has the documentation; python3 -m http.server -d build/site shows it" >&2

bench: setup services ## dibs beside others: docs/performance.md; ARGS="-k claim": its parts
	@scripts/install-services wrk
	@for peer in smorest security fastapi; do \
	    scripts/sync .venv-peer-$$peer requirements/peer-$$peer.txt none || exit; \
	done
	@exec $(BIN)/$(if $(ARGS),$(PYTEST) benchmarks --benchmark-only $(ARGS),python -m benchmarks.performance)

release: setup ## a wheel and an sdist in dist/, checked: docs/releasing.md
	@rm -rf dist
	@$(BIN)/uv build --quiet --offline --no-build-isolation --python $(BIN)/python --out-dir dist
	@$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz

lock: setup ## write requirements/ anew from pyproject.toml; ARGS=--upgrade
	@scripts/lock $(ARGS)

clean: ## remove what make made; instance/, with its database, stays
	rm -rf .venv .venv-test .venv-core .venv-lowest .venv-hosts .venv-appbuilder .venv-docs .venv-peer-* build dist .mypy_cache .pytest_cache .ruff_cache .benchmarks .hypothesis

# An environment made for development also serves, and is left as it is.
setup-serve:
	@scripts/sync .venv $(if $(shell grep -s dev.txt .venv/.synced),requirements/dev.txt,requirements/serve.txt)

setup: ## only make .venv, with every tool, for working on dibs
	@mkdir -p build
	@scripts/sync .venv requirements/dev.txt

# At a developer's desk a missing server means skipped tests, said aloud by
# pytest; in CI it is a failure.
services:
	@scripts/install-services postgresql mariadb redis pgbouncer nginx prometheus || \
	{ test -z "$$CI" && echo "dibs: going on without the servers that are missing" >&2; }

wheel: setup
	@rm -rf $(WHEELS)
	@$(BIN)/uv build --quiet --wheel --offline --no-build-isolation --python $(BIN)/python --out-dir $(WHEELS)

setup-test: wheel
	@scripts/sync .venv-test requirements/dev.txt $(WHEELS)/*.whl

setup-hosts: setup-test
	@# What a host app has at least, and the oldest of it: a test runs in each.
	@scripts/sync .venv-core requirements/core.txt $(WHEELS)/*.whl
	@scripts/sync .venv-lowest requirements/lowest.txt $(WHEELS)/*.whl
	@# The libraries that host apps are made of: tests/hosts.
	@scripts/sync .venv-hosts requirements/hosts.txt $(WHEELS)/*.whl
	@scripts/sync .venv-appbuilder requirements/appbuilder.txt $(WHEELS)/*.whl
