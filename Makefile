# make demo: everything from nothing, to a table and two figures.  make test: the tests.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install -c requirements/constraints.txt
INSTALLED := $(VENV)/.tsgan-installed

.PHONY: venv test demo lint clean

venv: $(INSTALLED)

$(INSTALLED): setup.py pyproject.toml requirements/runtime.txt requirements/constraints.txt | $(RUN)
	$(PIP) -r requirements/runtime.txt -e .
	@touch $@

$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null || \
	  { echo 'tsgan needs Python 3.10, 3.11 or 3.12, which "$(PYTHON)" is not: name one with `make PYTHON=python3.11`.' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

test: venv
	@$(PIP) -q -r requirements/tests.txt
	$(RUN) -m pytest -q

demo: venv
	$(RUN) tools/demo.py

lint: venv
	@$(PIP) -q ruff
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

# Leaves .venv, data and work_dirs, which took long to make.
clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
	find tsgan tools tests configs -name __pycache__ -type d -prune -exec rm -rf {} +
