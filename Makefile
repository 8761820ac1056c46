# make demo: everything from nothing, to a table and two figures.
# make test: the tests, but for the slow ones.  make test-all: all of them, with a browser (apt-get install chromium), on
# each of oneDNN's kinds of CPU.  make test-oldest: as make test, with the oldest versions that setup.py allows, on
# Python 3.10.  On another Python, beside what is there: make test PYTHON=python3.13 VENV=.venv-3.13
PYTHON ?= python3
OLDEST ?= python3.10
VENV := .venv
CONSTRAINTS := requirements/constraints.txt
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install -c $(CONSTRAINTS)
# A process a core, and a file in one of them, the long ones first. What a test needs is installed: none is skipped.
PYTEST := $(RUN) -m pytest -q -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder --fail-skipped
# Tests in which no network computes what another kind of CPU could compute otherwise.
WITHOUT_NETWORKS := datasets demo docs evaluation experiments files_of_strangers.py search visualization \
  tools/test_commands_of_docs.py tools/test_commands_on_strangers_files.py
INSTALLED := $(VENV)/.tsgan-installed

.PHONY: venv test test-oldest test-all docs demo lint clean

venv: $(INSTALLED)

$(INSTALLED): setup.py pyproject.toml requirements/runtime.txt $(CONSTRAINTS) | $(RUN)
	$(PIP) -r requirements/runtime.txt -e .
	@touch $@

$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || \
	  { echo 'tsgan needs Python 3.10, 3.11, 3.12 or 3.13, which "$(PYTHON)" is not: name one with `make PYTHON=python3.11`.' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

test: venv
	@$(PIP) -q -r requirements/tests.txt
	$(PYTEST) -m 'not slow'

test-oldest:
	$(MAKE) test PYTHON=$(OLDEST) VENV=.venv-oldest CONSTRAINTS=requirements/constraints-oldest.txt

# What has networks compute, once more as on a CPU with AVX2 and without AVX-512, whose convolutions are other code:
# requirements/constraints.txt.
test-all: test docs
	@for name in chromium chromium-browser google-chrome; do command -v $$name && break; done > /dev/null \
	  || $(RUN) -m playwright install chromium
	$(PYTEST) -m slow
	ONEDNN_MAX_CPU_ISA=AVX2 $(PYTEST) $(addprefix --ignore=tests/test_,$(WITHOUT_NETWORKS))

# docs/_build/index.html. A warning, of a link that leads nowhere, say, is an error.
docs: venv
	@$(PIP) -q -r requirements/docs.txt
	$(RUN) -m sphinx -W --keep-going -q docs docs/_build
	@echo docs/_build/index.html

# The page, which it names at its end, needs Gradio, and its probabilities scikit-learn.
demo: venv
	@$(PIP) -q -r requirements/demo.txt -r requirements/calibration.txt
	$(RUN) tools/demo.py

lint: venv
	@$(PIP) -q ruff
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

# Leaves .venv, data and work_dirs, which took long to make.
clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
	find tsgan tools tests configs -name __pycache__ -type d -prune -exec rm -rf {} +
