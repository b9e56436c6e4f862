# Every command of this repository; `make` alone lists them.
#
# Set-up and talk go to stderr, so `make demo ARGS='--once --json'` prints JSON and nothing else.
# Overrides: PYTHON (a Python 3.11 or newer), VENV (where the virtual environment lives), ARGS (for
# demo and both of bench), PYTEST_ARGS (for test and soak).

SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
PYTEST_ARGS ?=

bin := $(VENV)/bin
setup_done := $(VENV)/.setup-done

# A virtual environment holds absolute paths: one that came along with a copied tree is made again.
ifneq ($(shell cat $(setup_done) 2>/dev/null),$(CURDIR))
.PHONY: $(setup_done)
endif

.PHONY: help setup demo test check audit bench bench-quick soak clean

help: ## List these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1  \2/p' Makefile

setup: $(setup_done) ## Make the virtual environment, at the exact versions of constraints.txt
	@:

$(setup_done): pyproject.toml constraints.txt build-constraints.txt tools/set-up
	@PYTHON='$(PYTHON)' tools/set-up '$(VENV)' >&2
	@printf '%s\n' '$(CURDIR)' > $@

demo: $(setup_done) ## Play all topologies, print one failing run and serve the API until Ctrl-C
	@exec $(bin)/relayna demo $(ARGS)

test: $(setup_done) ## Everything: what the tests need, the checks, the tests
	@tools/install-test-servers >&2
	@$(MAKE) --no-print-directory check
	@$(bin)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

check: $(setup_done) ## Format, lint, types and import contracts
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(bin)/mypy
	$(bin)/lint-imports

audit: $(setup_done) ## Known vulnerabilities of what constraints.txt names (needs the internet)
	@$(bin)/python -m tools.audit_dependencies

bench: $(setup_done) ## Measure speed beside limits and peers, under 10 minutes; results go to benchmarks/results/
	@tools/install-test-servers rabbitmq-server >&2
	@$(bin)/python -m benchmarks $(ARGS)

bench-quick: $(setup_done) ## The same at smaller sizes, under 90 seconds
	@tools/install-test-servers rabbitmq-server >&2
	@$(bin)/python -m benchmarks --quick $(ARGS)

soak: $(setup_done) ## The reliability tests at full size (long)
	@tools/install-test-servers >&2
	@$(bin)/pytest -m soak $(PYTEST_ARGS)

clean: ## Remove the virtual environment, caches and built files
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
