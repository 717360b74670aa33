.DEFAULT_GOAL := help
PY := .venv/bin/python

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: ## make .venv and install the locked dependencies
	@sh scripts/setup.sh

run: ## set up and run the demo business
	@./run

test: ## set up and run the tests
	@./test

check: setup ## ruff, types, imports, spelling, squawk, tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/codespell README.md CHANGES.md docs src tests bench scripts
	.venv/bin/pytest

fix: ## let ruff repair and format
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: setup ## print every ratio against its baseline
	@for b in bench/bench_*.py; do echo "== $$b"; $(PY) $$b || exit 1; done

soak: setup ## the full counts: every property, every size
	EARLYBIRD_SOAK=1 .venv/bin/pytest -m "soak or not soak"

lock: ## rewrite requirements.lock from pyproject.toml
	.venv/bin/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url --no-header -o requirements.lock

.PHONY: help setup run test check fix bench soak lock
