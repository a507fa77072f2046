# `make demo` and `make test` need Python 3.11 or newer and Java 17 or newer; all else goes into .venv.
PYTHON ?= $(shell python3.11 -c '' 2>/dev/null && echo python3.11 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
# The tests of the DAG run a real Airflow. It pins many packages, so it has an environment of its own.
AIRFLOW := .airflow
AIRFLOW_PACKAGES := apache-airflow==3.3.2 apache-airflow-providers-apache-spark
# What the extra `report` needs besides the packages of the tests. It is apart: see tests/report/conftest.py.
MAP := 'umap-learn>=0.5.7' pynndescent
# The tests start Spark dozens of times. The cache that makes this fast is in the clone, not in the user's home. Two files
# run at once, because tests mostly wait.
WARM := XDG_CACHE_HOME=$(abspath $(VENV))/cache

.PHONY: demo test lint reference docs clean

demo: $(VENV)/installed
	$(BIN)/w2vspark demo demo-output

test: $(VENV)/warm
	$(WARM) $(BIN)/pytest -n 2 --dist loadfile

lint: $(VENV)/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Writes conf/word2vec.toml and the pages of docs/ that are made from the code. A test compares them.
reference: $(VENV)/installed
	$(BIN)/python -m w2vspark.cli.reference

# The documentation site, in site/. The build needs no network, and fails if a link or a page is missing.
docs: $(VENV)/installed-for-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) $(AIRFLOW) demo-output build site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "w2vspark needs Python 3.11 or newer and $(PYTHON) is " + sys.version.split()[0] + "; name another one: make PYTHON=…")'
	$(PYTHON) -m venv $(VENV)

# A stamp that is older than pyproject.toml means that the dependencies may have changed.
$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo "installing w2vspark and its packages into $(VENV): Spark alone has 400 MB, which takes some minutes the first time"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/installed-for-tests: pyproject.toml | $(BIN)/python
	@echo "installing w2vspark, its packages and those of the tests into $(VENV), which takes some minutes the first time"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(VENV)/map $(MAP)
	@touch $@ $(VENV)/installed

$(VENV)/installed-for-docs: pyproject.toml | $(BIN)/python
	@echo "installing w2vspark and the packages of the documentation into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@ $(VENV)/installed

$(AIRFLOW)/installed: Makefile
	@echo "installing Airflow into $(AIRFLOW), for the tests of its DAG"
	$(PYTHON) -m venv $(AIRFLOW)
	$(AIRFLOW)/bin/python -m pip install --quiet --disable-pip-version-check $(AIRFLOW_PACKAGES)
	@touch $@

$(VENV)/warm: $(VENV)/installed-for-tests
	@echo "compiling the kernels for the tests, once: about a minute"
	$(WARM) $(BIN)/w2vspark warm-up
	@touch $@
