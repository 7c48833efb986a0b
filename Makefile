# `make demo` and `make test` do their own set-up; everything else builds on `make setup`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8000
BUNDLE ?= bundles/storybook
# What the accessibility tests need; without npm they are skipped.
NODE_MODULES := $(if $(shell command -v npm),node_modules/.installed)

.PHONY: setup demo build serve fmt check test bench dist docs audit clean

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: setup ## build the storybook bundle and its twin (again only where something changed) and serve them
	$(BIN)/sparc-build demo --out $(BUNDLE)
	$(BIN)/sparc-serve --bundle $(BUNDLE) --beside $(BUNDLE)-local --port $(PORT)

build: setup
	$(BIN)/sparc-build demo --out $(BUNDLE)

serve: setup ## with the twin beside it, where there is one
	$(BIN)/sparc-serve --bundle $(BUNDLE) $(addprefix --beside ,$(wildcard $(BUNDLE)-local)) --port $(PORT)

fmt: setup
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

check: setup ## exactly what CI checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

node_modules/.installed: package.json package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund
	touch $@

# There is a process for each core, so each has one thread.
test: export OMP_NUM_THREADS = 1
test: setup $(NODE_MODULES)
	$(BIN)/python -m pytest -n auto --dist loadgroup -m "not browser and not ray"
	$(BIN)/python -m pytest -n auto --dist loadfile -m browser # not beside others: Playwright's event loop runs through it all
	$(BIN)/python -m pytest -m ray # alone: a Ray cluster on a busy machine takes minutes to start

bench: build ## every measurement of docs/benchmarks.md but recipes, about an hour; QUICK=--quick for a taste
	$(BIN)/python -m benchmarks.drawing $(QUICK)
	$(BIN)/python -m benchmarks.towers $(QUICK)
	$(BIN)/python -m benchmarks.heatmaps --bundle $(BUNDLE) $(QUICK)
	$(BIN)/python -m benchmarks.segmentation --bundle $(BUNDLE) $(QUICK)
	$(BIN)/python -m benchmarks.trust --bundle $(BUNDLE) $(QUICK)
	$(BIN)/python -m benchmarks.evaluation --bundle $(BUNDLE) $(QUICK)
	$(BIN)/python -m benchmarks.pages --bundle $(BUNDLE) $(QUICK)
	$(BIN)/python -m benchmarks.pages_in_browser --bundle $(BUNDLE) $(QUICK)
	$(BIN)/python -m benchmarks.scrolling --bundle $(BUNDLE) $(QUICK)
	$(BIN)/python -m benchmarks.serve $(QUICK)
	$(BIN)/python -m benchmarks.soak --bundle $(BUNDLE) $(QUICK)
	$(BIN)/python -m benchmarks.build $(QUICK)
	$(BIN)/python -m benchmarks.train_step $(QUICK)
	$(BIN)/python -m benchmarks.extract $(QUICK)
	$(BIN)/python -m benchmarks.index_scale $(QUICK)
	$(BIN)/python -m benchmarks.vectors $(QUICK)

dist: setup ## the wheel and the source distribution, in dist/
	$(BIN)/python -m build --no-isolation

docs: build ## screenshots, drawings and the tables of the commands
	$(BIN)/python -m docs.screenshots --bundle $(BUNDLE)
	$(BIN)/python -m docs.pictures --bundle $(BUNDLE)
	$(BIN)/python -m docs.reference_cli

audit: ## known vulnerabilities of the pinned packages; docs/security.md
	test -x $(VENV)-audit/bin/pip-audit || ($(PYTHON) -m venv $(VENV)-audit && $(VENV)-audit/bin/pip install --quiet pip-audit)
	$(VENV)-audit/bin/pip-audit --requirement requirements.lock --no-deps --disable-pip --strict
	npm audit --package-lock-only

clean:
	rm -rf $(VENV) $(VENV)-audit bundles work .pytest_cache .ruff_cache .mypy_cache .hypothesis artefacts node_modules dist
