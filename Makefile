# Everything a newcomer types. `make up` and `make test` set up what they need; a second run is quick.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV   := .venv
BIN    := $(VENV)/bin
PAGE   := src/dovetail/console/static/index.html
WEB    := $(shell find web/src web/public web/build web/index.html web/*.ts web/*.json -type f 2>/dev/null)
ARGS   ?=
JOBS   ?= 3

# Tools that the set-up had to fetch lie beside Python's own.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help up test demo permissions corpus bench bench-gateway bench-iam bench-kube bench-lifecycle bench-login authz-matrix crash lifecycle-crash preview-worlds simulate lint docs web lock format clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

up: $(VENV)/runtime.done $(PAGE) ## Start the platform on this machine (options: make up ARGS="--port 8080")
	@exec $(BIN)/dovetail up $(ARGS)

test: $(VENV)/dev.done $(PAGE) machine ## Run the whole test suite
	$(BIN)/pytest -n $(JOBS) --dist loadfile $(ARGS)
	cd web && npm test --silent

demo: $(VENV)/dev.done $(PAGE) machine ## The main job, scripted and checked, on temporary data
	$(BIN)/python -m tests.e2e.demo $(ARGS)

bench: $(VENV)/dev.done machine ## Benchmarks with their peers, as ratios measured in one run
	@for bench in bench/bench_*.py; do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

bench-gateway: $(VENV)/dev.done machine ## The gateway in figures, beside Envoy, nginx, Caddy and an aiohttp proxy
	@$(BIN)/python bench/bench_gateway.py $(ARGS)

bench-iam: $(VENV)/dev.done machine ## Authorization in figures: decisions, memory, the time until a binding is in force
	@$(BIN)/python bench/bench_iam.py $(ARGS)

bench-kube: $(VENV)/dev.done machine ## The embedded Kubernetes API in figures, beside uvicorn and etcd
	@$(BIN)/python bench/bench_kube.py $(ARGS)

bench-login: $(VENV)/dev.done machine ## Log-ins in figures: what a password costs, and what readers feel of it
	@$(BIN)/python bench/bench_login.py $(ARGS)

bench-lifecycle: $(VENV)/dev.done machine ## Extensions in figures: synchronising 1,000 packages in 3 versions, from scratch and unchanged
	@$(BIN)/python bench/bench_lifecycle.py $(ARGS)

authz-matrix: $(VENV)/dev.done $(PAGE) machine ## Every endpoint as every kind of caller, against a table written by hand
	@$(BIN)/python -m tests.e2e.authz_matrix $(ARGS)

crash: $(VENV)/dev.done ## Kill the embedded cluster with -9 under load, again and again (make crash ROUNDS=300)
	@DOVETAIL_CRASH_ROUNDS=$(or $(ROUNDS),300) $(BIN)/pytest -q tests/embedded_apiserver/test_crash.py

preview-worlds: $(VENV)/dev.done ## Plans held against what is applied, in random worlds (make preview-worlds STEPS=100)
	@DOVETAIL_PREVIEW_STEPS=$(or $(STEPS),100) DOVETAIL_PREVIEW_SEED=$(or $(SEED),1) $(BIN)/pytest -q -s --timeout 3600 tests/lifecycle/preview/test_plan_is_contract.py

lifecycle-crash: $(VENV)/dev.done ## Kill the controllers with -9 amid installs and upgrades (make lifecycle-crash ROUNDS=50)
	@DOVETAIL_LIFECYCLE_CRASH_ROUNDS=$(or $(ROUNDS),50) $(BIN)/pytest -q -s tests/lifecycle/test_kill_nine.py

simulate: $(VENV)/dev.done ## Extensions in simulated worlds, and the hazards H1-H8 planted (make simulate SEEDS=100000)
	@$(BIN)/python -m tests.simulation --seeds 0:$(or $(SEEDS),10000) --mutants

permissions: $(VENV)/dev.done ## Take every right away from every published package's account, one by one: nothing may go
	@DOVETAIL_PERMISSIONS=all $(BIN)/pytest -q tests/lifecycle/test_permissions_needed.py

corpus: $(VENV)/runtime.done ## Hold our packaging against published packages (make corpus DIR=folder)
	@$(BIN)/python scripts/check_corpus.py "$(DIR)"

lint: $(VENV)/dev.done web/node_modules/.done ## Formatting, lint, types, the arrows between the rooms
	$(BIN)/ruff format --check src tests bench samples scripts
	$(BIN)/ruff check src tests bench samples scripts
	web/node_modules/.bin/pyright
	$(BIN)/lint-imports
	cd web && npx tsc --noEmit
	$(BIN)/python scripts/check_tree.py

docs: $(VENV)/dev.done ## Build the documentation into site/
	$(BIN)/python scripts/generate_reference.py
	$(BIN)/zensical build --clean

format: $(VENV)/dev.done ## Format the Python code
	$(BIN)/ruff format src tests bench samples scripts
	$(BIN)/ruff check --fix src tests bench samples scripts

lock: $(VENV)/dev.done ## Compile the pinned requirements again (needs uv)
	uv pip compile pyproject.toml --group dev --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header -q -o requirements/dev.txt
	uv pip compile pyproject.toml --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header -q -c requirements/dev.txt -o requirements/runtime.txt

web: $(PAGE) ## Build the console's page

clean: ## Remove everything that was built
	rm -rf $(VENV) web/node_modules src/dovetail/console/static build site .pytest_cache .ruff_cache .hypothesis

.PHONY: machine
machine:
	@scripts/prepare_machine.sh

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Dovetail needs Python 3.11 or newer: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/runtime.done: requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "Installing the Python libraries ..."
	@$(BIN)/python scripts/install.py runtime
	@touch $@

$(VENV)/dev.done: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing the Python libraries and the developers' tools ..."
	@$(BIN)/python scripts/install.py dev
	@touch $@ $(VENV)/runtime.done

web/node_modules/.done: web/package.json web/package-lock.json
	@command -v npm >/dev/null || { echo "Node 20 with npm is needed to build the page: apt-get install nodejs npm" >&2; exit 1; }
	@echo "Installing the page's libraries ..."
	@cd web && npm ci --no-audit --no-fund --silent
	@touch $@

$(PAGE): web/node_modules/.done $(WEB)
	@echo "Building the console's page ..."
	@cd web && npm run --silent build
	@touch $@
