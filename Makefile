# Every target makes what it needs. Works with GNU make 3.81 (macOS) and later, sh, Python 3.11 or later and pip.
# ARGS is passed on:  make demo ARGS=--once    make test ARGS='tests/core -x'

ARGS ?=

.PHONY: help venv demo serve test test-counterparts screenshots chaos audit catalogues lint bench bench-large lock clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' Makefile

venv: .venv/.ready ## Make .venv with everything that runs and tests the program

demo: .venv/.ready ## Ask a made-up movement of 2,000 over sandbox providers (ARGS=--once: show the result and leave)
	@.venv/bin/outreach demo $(ARGS)

serve: .venv/.ready ## Run web and worker in one process
	@.venv/bin/outreach serve $(ARGS)

# Every command that a test starts would else compile the program anew where the environment forbids to keep bytecode.
test: .venv/.ready ## Run the tests, side by side on up to four cores (ARGS go to pytest; -n 0: one after another)
	@PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-counterparts: .venv/.ready ## Run our adapters against what others made in a provider's place (needs Node.js and npm)
	@.venv/bin/python -m pytest tests/counterparts $(ARGS)

screenshots: .venv/.ready ## Take pictures of the main pages into docs/screens (needs Chromium; ARGS: only those)
	@.venv/bin/python -m tests.browser.screens $(ARGS)

lint: .venv/.ready ## Check style, types and the direction of imports
	@echo "==> ruff check"
	@.venv/bin/ruff check .
	@echo "==> ruff format --check"
	@.venv/bin/ruff format --check .
	@echo "==> mypy"
	@.venv/bin/mypy
	@echo "==> lint-imports"
	@.venv/bin/lint-imports --no-cache --no-logo

catalogues: .venv/.ready ## Bring the translations of members' pages up to date with what the pages say
	@.venv/bin/python -m tests.support.catalogues

chaos: .venv-chaos/.ready ## Try to break every promise of docs/promises.md, and print what was lost (ARGS go to it)
	@.venv-chaos/bin/python -m tests.chaos $(ARGS)

audit: .venv-chaos/.ready ## Ask for known weaknesses of what is pinned (needs the Internet; fails where it cannot ask)
	@.venv-chaos/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock $(ARGS)

bench: .venv-bench/.ready ## Measure beside yardsticks, in an environment of its own (ARGS go to the bench)
	@PYTHONDONTWRITEBYTECODE= .venv-bench/bin/python -m bench $(ARGS)

bench-large: .venv-bench/.ready ## Reach a million members, route five million (ARGS='--members 20000 --routed 50000': fewer)
	@PYTHONDONTWRITEBYTECODE= .venv-bench/bin/python -m bench.large $(ARGS)

lock: ## Pin all dependencies anew, with hashes (ARGS=--upgrade: at their newest)
	@sh .ci/lock $(ARGS)

clean: ## Remove environments, caches and builds (never a ledger)
	rm -rf .venv .venv-bench .venv-chaos build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache bench/out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.ready: requirements-test.lock pyproject.toml .ci/build.lock .ci/venv
	@sh .ci/venv .venv requirements-test.lock

.venv-bench/.ready: requirements.lock bench/requirements.lock pyproject.toml .ci/build.lock .ci/venv
	@sh .ci/venv .venv-bench requirements.lock bench/requirements.lock

.venv-chaos/.ready: requirements-test.lock tests/chaos/requirements.lock pyproject.toml .ci/build.lock .ci/venv
	@sh .ci/venv .venv-chaos requirements-test.lock tests/chaos/requirements.lock
