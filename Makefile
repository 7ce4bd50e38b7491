# Every command makes or refreshes .venv by itself. Needed: Python 3.11 or later, git, make.
#
#   make demo    run an evolution on the task that ships with evolve: no key, no data, no network
#   make test    all tests (make test ARGS="-k sandbox"); Docker tests skip where no engine answers
#   make check   style, types, layers and length of modules; each is a command of its own
#   make bench   performance benchmarks, and docs/performance.md from what they print (make bench ARGS=latency)
#   make clean   remove .venv and caches; runs/ stays

SHELL := /bin/sh
BIN := .venv/bin
FIT := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	$$name -c '$(FIT)' 2>/dev/null && echo $$name && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo test check style types layers length bench clean python

demo: .venv/run.stamp
	@$(BIN)/evolve run chronicle --name demo --set budget.candidates=8

# What looks at the whole machine (leftover containers, a killed run, timing) does not run beside anything else.
# 5: nothing in that half fits ARGS.
test: .venv/dev.stamp
	$(BIN)/pytest -m 'not alone' --numprocesses auto --dist loadfile $(ARGS) || [ $$? -eq 5 ]
	$(BIN)/pytest -m alone $(ARGS) || [ $$? -eq 5 ]

check: style types layers length

style: .venv/dev.stamp
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check

types: .venv/dev.stamp
	$(BIN)/mypy --strict

layers: .venv/dev.stamp
	$(BIN)/lint-imports

length:
	@find evolve seeds sandboxes $(wildcard bench) -name '*.py' -exec awk \
		'FNR == 401 { print FILENAME ": more than 400 lines"; long = 1 } END { exit long }' {} +

bench: .venv/run.stamp
	@$(BIN)/python docs/performance.py $(ARGS)

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@'$(PYTHON)' -c '$(FIT)' 2>/dev/null || { echo "evolve needs Python 3.11 or later with venv, found" \
		"'$(PYTHON)'; install one (Debian: apt install python3-venv) or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }

.venv/run.stamp: pyproject.toml | python
	@test -x $(BIN)/python || '$(PYTHON)' -m venv .venv
	$(PIP) --editable .
	@touch $@

# After the stamp above, never beside it: two installs into one folder do not mix.
.venv/dev.stamp: .venv/run.stamp
	$(PIP) --editable '.[dev]'
	@touch $@
