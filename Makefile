# `make` lists the targets. Everything runs in .venv, made from the locked requirements.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
SAMPLE_USERS ?= 2000
SAMPLE_SEED ?= 7
PORT ?= 8080
ORACLE_USERS ?= 2000
ORACLE_SEEDS ?= 1 2 3
BENCH_USERS ?= 5718 22873 91492
SPARK_BENCH_USERS ?= 500 2000 5718
CRASH_ROUNDS ?= 13
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export PYTHONUNBUFFERED := 1

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' \
		| column -t -s '|' 2>/dev/null || grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST)

.PHONY: demo
demo: env sample ## sample data, dbt build, train, score, and what to look at next
	@PONPARE_DATA_DIR=data/sample PONPARE_DB= $(BIN)/python -m ml.pipeline

.PHONY: run
run: env ## the same on the files in PONPARE_DATA_DIR
	@$(BIN)/python -m ml.pipeline

.PHONY: env
env: $(VENV)/installed ## the Python environment in .venv

$(VENV)/installed: requirements.txt
	@bash .ci/find-python > /dev/null
	@echo "making $(VENV) and installing $$(grep -c == requirements.txt) locked packages (about a minute)"
	@"$$(bash .ci/find-python)" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -c "import lightgbm" 2>/dev/null || { echo "LightGBM cannot be loaded: it needs the \
	OpenMP library (on Debian and Ubuntu: apt-get install libgomp1; on macOS: brew install libomp)" >&2; exit 1; }
	@touch $@

.PHONY: torch
torch: env ## add PyTorch to .venv, for the model two_branch_network (optional)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-torch.txt

.PHONY: mlflow
mlflow: env ## add MLflow's client to .venv, for python -m ml.export_mlflow (optional)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-mlflow.txt

.PHONY: bigquery
bigquery: .venv-bigquery/installed ## dbt for BigQuery in an environment of its own (optional, docs/bigquery.md)

.venv-bigquery/installed: requirements-bigquery.txt
	@bash .ci/find-python > /dev/null
	@echo "making .venv-bigquery and installing $$(grep -c == requirements-bigquery.txt) locked packages (about a minute)"
	@"$$(bash .ci/find-python)" -m venv --clear .venv-bigquery
	@.venv-bigquery/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bigquery.txt
	@touch $@

.PHONY: spark
spark: .venv-spark/installed ## Spark and dbt for it in an environment of its own (optional, docs/spark.md; needs Java 17)

.venv-spark/installed: requirements-spark.txt requirements-spark-build.txt
	@bash .ci/find-python > /dev/null
	@echo "making .venv-spark and installing $$(grep -c == requirements-spark.txt) locked packages (Spark has 470 MB: a minute or two)"
	@"$$(bash .ci/find-python)" -m venv --clear .venv-spark
	@.venv-spark/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark-build.txt
	@.venv-spark/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --require-hashes -r requirements-spark.txt
	@touch $@

.PHONY: sample
sample: env ## synthetic sample data in data/sample (SAMPLE_USERS, SAMPLE_SEED)
	@$(BIN)/python -m ml.sample_data --users $(SAMPLE_USERS) --seed $(SAMPLE_SEED) --out data/sample

.PHONY: build
build: env ## dbt build alone, on PONPARE_DATA_DIR
	@$(BIN)/dbt build

.PHONY: train
train: env ## train, evaluate and score, on marts that are built
	@$(BIN)/python -m ml.train

.PHONY: week
week: env ## the weekly job on PONPARE_DATA_DIR: build, model, score, report (CUTOFF=2012-06-17)
	@$(BIN)/python -m ml.week $(if $(CUTOFF),--cutoff $(CUTOFF))

.PHONY: search
search: env ## choose hyper-parameters and the blend on weeks before 2012-04-15
	@$(BIN)/python -m ml.search

.PHONY: backtest
backtest: env ## every model on the reported weeks, each fitted on the weeks before it
	@$(BIN)/python -m ml.backtest --from 2012-04-15 --to 2012-06-10 --apart 2012-06-03 --write docs/backtest.md

.PHONY: report
report: env ## pictures, results and scorecard as one page, and slides: report/index.html
	@$(BIN)/python -m ml.report

.PHONY: docs
docs: env ## the documentation site with lineage: target/static_index.html, column_lineage.html
	@$(BIN)/dbt docs generate --static
	@$(BIN)/python -m ml.lineage --manifest target/manifest.json --write target/column_lineage.html
	@echo "open target/static_index.html, or serve it: $(BIN)/dbt docs serve --port $(PORT)"

.PHONY: test
test: env ## the tests that take less than five minutes
	@$(BIN)/pytest -n 2 --dist loadfile --durations 20 -m "not full"

.PHONY: test-full
test-full: env ## the tests that take longer, and those on real data (PONPARE_REAL_DIR)
	@$(BIN)/pytest -n 2 --dist loadfile --durations 30 -m full

.PHONY: crash-test
crash-test: env ## kill -9 at random moments: building, training, publishing, model files (CRASH_ROUNDS of each)
	@CRASH_ROUNDS=$(CRASH_ROUNDS) $(BIN)/pytest -m full tests/python/test_crashes.py

.PHONY: test-bigquery
test-bigquery: env bigquery ## every query compiled for BigQuery and analysed as it would, without an account
	@$(BIN)/pytest -m full tests/python/test_bigquery.py

.PHONY: test-spark
test-spark: env spark ## every model, seed and data test on a Spark cluster of this machine, marts compared with DuckDB's
	@$(BIN)/pytest -m full tests/python/test_spark.py

.PHONY: lint
lint: env ## parse with deprecations as errors, sqlfluff, ruff, rules of the project
	@$(BIN)/dbt parse --no-partial-parse --quiet
	@$(BIN)/sqlfluff lint --disable-progress-bar models analyses tests ml/report/sql ml/reference
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: format
format: env ## mend what the linters can mend
	@$(BIN)/sqlfluff fix --quiet models analyses tests ml/report/sql || true
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

.PHONY: lock
lock: env ## lock the versions in pyproject.toml anew (needs uv)
	@uv pip compile --universal --generate-hashes --no-header --no-annotate --no-strip-extras \
		--python-version 3.11 --group dev pyproject.toml -o requirements.txt
	@uv pip compile --universal --generate-hashes --no-header --no-annotate --no-strip-extras \
		--python-version 3.11 --group pyproject.toml:bigquery -o requirements-bigquery.txt
	@uv pip compile --universal --generate-hashes --no-header --no-annotate --no-strip-extras \
		--python-version 3.11 --group pyproject.toml:spark-build -o requirements-spark-build.txt
	@for group in spark mlflow; do \
		uv pip compile --universal --generate-hashes --no-header --no-annotate --no-strip-extras \
			--python-version 3.11 --group pyproject.toml:$$group -o requirements-$$group.txt \
			--constraints <(grep -E '^[A-Za-z0-9]' requirements.txt | sed 's/\[[^]]*\]//; s/ \\$$//'); \
	done

.PHONY: licences
licences: env ## write docs/licences.md, the licences of the locked packages
	@$(BIN)/python -m ml.licences --write docs/licences.md

.PHONY: catalogue
catalogue: env ## write docs/features.md, the catalogue of features, from the YAML
	@$(BIN)/python -m ml.catalogue --write docs/features.md

.PHONY: columns
columns: env ## write docs/columns.md, what became of every column of the files
	@$(BIN)/python -m ml.inventory --write docs/columns.md

.PHONY: explore
explore: env ## the questions of analyses/, to be answered with python -m ml.explore NAME
	@$(BIN)/python -m ml.explore

.PHONY: calibrate
calibrate: env ## measure a full-size sample against published statistics of the real data
	@$(BIN)/python -m ml.sample_data --users 22873 --seed $(SAMPLE_SEED) --out data/full
	@$(BIN)/python -m ml.calibrate --data data/full

.PHONY: oracle
oracle: env ## what share of a perfect ranking each model reaches, on samples (ORACLE_USERS, ORACLE_SEEDS)
	@for seed in $(ORACLE_SEEDS); do \
		$(BIN)/python -m ml.sample_data --users $(ORACLE_USERS) --seed $$seed --out data/seed-$$seed; \
		PONPARE_DATA_DIR=data/seed-$$seed PONPARE_DB= $(BIN)/python -m ml.pipeline; \
	done
	@$(BIN)/python -m ml.oracle_report --data $(addprefix data/seed-,$(ORACLE_SEEDS)) --write docs/oracle.md

.PHONY: bench
bench: env ## seconds, memory and slowest models at 1/4, 1/1 and 4/1 of the real size (BENCH_USERS)
	@$(BIN)/python -m ml.bench --users $(BENCH_USERS) --write docs/benchmarks.md --record docs/benchmarks.csv
	@$(BIN)/python -m ml.engine_costs --write docs/engine-costs.md

.PHONY: bench-spark
bench-spark: env spark ## seconds and memory of dbt build on Spark, on this machine (SPARK_BENCH_USERS)
	@.venv-spark/bin/python -m ml.bench --target spark --users $(SPARK_BENCH_USERS) \
		--write docs/benchmarks-spark.md --record docs/benchmarks.csv
	@$(BIN)/python -m ml.engine_costs --write docs/engine-costs.md

.PHONY: monitor-trial
monitor-trial: env ## whether alarms ring on drifting samples and are silent on steady ones (two minutes a sample)
	@$(BIN)/python -m ml.monitor_trial --write docs/monitoring-trial.md

.PHONY: ablation
ablation: env ## what each group of features brings, on weeks before 2012-04-15
	@$(BIN)/python -m ml.ablation --write docs/ablation.md

.PHONY: clean
clean: ## remove what builds leave behind: warehouses, sample data, logs, models
	@rm -rf target logs data/sample data/sample.truth data/full data/full.truth data/seed-* data/bench-* data/trial-* warehouse/*.duckdb warehouse/*.wal artifacts .cache \
		.pytest_cache .hypothesis .ruff_cache report
