PYTHON ?= python3
JOBS ?= 2
BIN = .venv/bin
STUDIES = $(shell $(BIN)/python -c 'import sys; sys.path.insert(0, "papers/preprint"); from paper_tables import STUDIES; print(*STUDIES)')
FOLDERS = mechanisms experiments analysis
INPUTS = pyproject.toml setup.py constraints.txt

.DEFAULT_GOAL = help
.PHONY: help venv report test acceptance notebooks replicate paper data bench lint types lock clean

help:  ## print this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, for instance: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/installed: $(INPUTS) | $(BIN)/python
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

.venv/installed-bench: .venv/installed
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[bench]'
	@touch $@

venv: .venv/installed  ## make .venv, with the package in it as an editable install

.venv/installed-notebook: .venv/installed
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[notebook]'
	@touch $@

report: .venv/installed  ## run the main study; its last line says where the report lies
	$(BIN)/dcg-econ run fish_market --out results/fish_market

test: .venv/installed  ## the tests, on JOBS=2 processes
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

acceptance: .venv/installed  ## the acceptance tests, with what they measure, and the slow ones
	$(BIN)/python -m pytest tests/acceptance -v -s
	$(BIN)/python -m pytest -m slow -n $(JOBS) --dist loadfile

notebooks: .venv/installed-notebook  ## run the notebooks of papers/notebooks
	$(BIN)/python -m pytest tests/notebooks --jaxtyping-packages=

.venv/installed-paper: .venv/installed
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[paper]'
	@touch $@

replicate: .venv/installed  ## results of the literature, computed again: the table in results/replications
	$(BIN)/dcg-econ replicate --all

paper: .venv/installed-paper  ## the pre-print in build/paper: PDF where a TeX is installed, and HTML
	$(BIN)/python papers/preprint/paper.py

data: .venv/installed  ## the data of the pre-print anew: hours; goes on where it stopped
	for study in $(STUDIES); do $(BIN)/dcg-econ run $$study --out results/$$study || exit 1; done
	$(BIN)/python papers/preprint/paper_data.py $(STUDIES:%=results/%)
	$(BIN)/python papers/preprint/paper_measurements.py
	$(BIN)/dcg-econ replicate --all && cp results/replications/replications.csv papers/preprint/data

THREADED = kernel_fit equilibrium_batch training

bench: .venv/installed-bench  ## the benchmarks on one processor, some on two as well, and their table in README.md
	rm -rf build/benchmarks
	BENCH_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 \
		$(BIN)/python -m pytest tests/benchmarks -rs --jaxtyping-packages=
	BENCH_THREADS=2 OPENBLAS_NUM_THREADS=2 OMP_NUM_THREADS=2 NUMBA_NUM_THREADS=2 \
		$(BIN)/python -m pytest $(THREADED:%=tests/benchmarks/test_%.py) -rs --jaxtyping-packages=
	$(BIN)/python -m tests.benchmarks.table

lint: .venv/installed  ## ruff, rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/installed  ## mypy, on a folder of links that looks like the installed package
	@rm -rf build/links && mkdir -p build/links/dcg_econ
	@for path in dcg_econ/* $(FOLDERS); do ln -s ../../../$$path build/links/dcg_econ/ || exit 1; done
	cd build/links && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache -p dcg_econ

build/uv/bin/uv:
	$(PYTHON) -m venv build/uv
	build/uv/bin/python -m pip install -q uv

lock: build/uv/bin/uv  ## resolve constraints.txt anew, for every Python and platform at once
	build/uv/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade \
		--no-header --no-annotate -q -o constraints.txt

clean:  ## remove .venv and whatever a tool wrote, results excepted
	rm -rf .venv build dist *.egg-info .pytest_cache .benchmarks .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
