# `make help` lists what there is. Everything runs in `.venv`, which `make setup` makes from the hash lock.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-airflow faults check bench fuzz golden proofread privacy determinism detector airflow s3 lock clean clean-data

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo "$$p"; break; }; done)
RUN := .venv/bin/python
export TZ := UTC
export PYTHONDONTWRITEBYTECODE :=
export GX_ANALYTICS_ENABLED := false

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv from the lock (Python 3.11-3.13 with pip or uv; nothing else needed)
	@test -n "$(PYTHON)" || { echo "setup: needs Python 3.11, 3.12 or 3.13, found none. Install one, or name it: make setup PYTHON=..." >&2; exit 4; }
	@$(PYTHON) infra/scripts/setup_environment.py

demo: setup ## simulate two quarters, run them through Airflow, publish (DETACH=1: stop when published; STORE=s3; DATABASE=postgres)
	@$(RUN) -m infra.demo

test: setup ## every test
	@$(RUN) -m pytest $(PYTEST)

test-airflow: setup ## what of a live Airflow takes longest: days and quarters on PostgreSQL, cancelling, secrets, the page at full size
	@$(RUN) -m pytest -s -m long tests/integration --ignore=tests/integration/hosts $(PYTEST)

faults: setup ## what breaks during runs, a line each in benchmarks/results/<date>-faults.md; hosts need root
	@FAULTS_TABLE=benchmarks/results/$$(date +%F)-faults.md $(RUN) -m pytest -m long tests/faults tests/integration/hosts $(PYTEST)

check: setup ## lint, types, import contracts, infra, known vulnerabilities
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/hadolint infra/images/*Dockerfile
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec infra/compose/compose.yaml
	@.venv/bin/kubernetes-validate --quiet --strict $(filter-out %/kustomization.yaml,$(wildcard infra/kubernetes/base/*.yaml))
	@$(RUN) infra/scripts/check_infra.py
	@$(RUN) infra/scripts/audit_dependencies.py

bench: setup ## benchmarks/RESULTS.md and scale.md, half an hour on two cores (ONLY="capture lookup": some; SMALL=1: a rehearsal)
	@$(RUN) benchmarks/run.py $(ONLY) $(if $(SMALL),--small)

fuzz: setup ## feed the decoder mutated captures (SECONDS=3600)
	@$(RUN) tests/fuzz/fuzz_capture.py --write --seconds $(or $(SECONDS),3600) $(if $(wildcard ../shared/data/pcap),--corpus ../shared/data/pcap)

golden: setup ## what the editions of the built-in scenarios and of hostile quarters state, against what was put in
	@$(RUN) -m pytest tests/golden $(PYTEST)

proofread: setup ## alter every digit, day, region, label and cell of two editions: the proof-reader finds each
	@$(RUN) -m pytest -m "long or not long" tests/unit/report/test_linter_fooled.py tests/unit/report/test_noted_report.py $(PYTEST)

privacy: setup ## plant sensors' addresses in every form and kind of file: none is let through
	@$(RUN) -m pytest tests/unit/publish/test_privacy.py tests/unit/publish/test_privacy_proof.py $(PYTEST)

determinism: setup ## same inputs, same bytes: pictures, PDF, data, editions, in any order, run again or killed midway
	@$(RUN) -m pytest $(addprefix tests/,unit/report/test_figures.py unit/report/test_pdf.py unit/publish unit/simulate/test_run.py \
	  properties/test_analysis_cubes.py properties/test_regions.py integration/test_pipeline.py) $(PYTEST) \
	  -k "same_bytes or same_again or same_content or order_agrees or does_not_matter or untouched"

detector: setup ## the table of the event detector against segmentation and a trailing score, on held-out series
	@$(RUN) benchmarks/events.py

airflow: setup ## Airflow's services alone, on loopback, until interrupted (PORT=8080, DATABASE=postgres)
	@$(RUN) -m infra.airflow

s3: setup ## a real S3 service on loopback, until interrupted; prints what to export (S3_PORT=9000)
	@$(RUN) -m infra.s3

lock: setup ## resolve pyproject.toml anew into requirements.lock.txt
	@uv=$$(command -v uv || echo .setup/uv/bin/uv); $$uv pip compile pyproject.toml --all-extras --group dev --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o requirements.lock.txt && \
	$$uv pip compile pyproject.toml infra/images/runtime.in --all-extras --constraint requirements.lock.txt --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o infra/images/runtime.lock.txt && \
	$$uv pip compile infra/s3/swift.in --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o infra/s3/swift.lock.txt

clean: ## remove the environment and caches, keep the data in var/
	@rm -rf .venv .setup .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

clean-data: ## remove the demo's data in var/: captures, lake, site, Airflow
	@rm -rf var
