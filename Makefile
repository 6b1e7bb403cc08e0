# make demo                  the show: three daemons over real sockets     make demo ARGS="--mrt FILE --vrps FILE"
# make test                  everything that a change must pass            make -k test goes on after a failure
# make PYTHON=python3.12 ... with another Python                           make help lists the parts
.DELETE_ON_ERROR:

PYTHON = python3
VENV = .venv
ARGS =

BIN = $(CURDIR)/$(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check
# the checkout itself, before anything that is installed
HERE = PYTHONPATH="$(CURDIR):$(CURDIR)/daemons"
DAEMONS = rotonda-connector rotonda-rib rotonda-router
PACKAGING = setup.cfg pyproject.toml setup.py
# all that pytest runs, but for what needs programs of others
OTHERS = $(filter-out interop,$(shell sed -n 's/^testpaths = //p' setup.cfg))
SOURCES = $(shell find rotoro daemons -name '*.py' -not -name '.*')

.PHONY: help demo test venv extension lint types derived pytest interop others trial plugins wheel clean

help:
	@sed -n '/^# make/s/^# //p' Makefile
	@echo "parts of the test:         lint types derived pytest trial plugins wheel"
	@echo "parts of pytest:           interop (with real programs)  others (all the rest)"
	@echo "besides:                   venv (what tests need)  extension (the compiled loops, in place)  clean"

# --- the show ---------------------------------------------------------------------------------------------------------

demo: $(VENV)/installed
	@$(BIN)/rotonda-demo $(ARGS)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; this is" `$(PYTHON) --version`". Try: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "Python's venv module is needed; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

# Nothing that was removed from the sources may live on in what setuptools built before.
$(VENV)/installed: $(VENV)/bin/python $(PACKAGING) $(SOURCES)
	@echo "Installing Rotoro into $(VENV) (the first time takes about a minute and needs the network)"
	@rm -rf build/lib build/lib.*
	@$(PIP) install --quiet .
	@touch $@

# --- the tests --------------------------------------------------------------------------------------------------------

# What is compiled must not change while lanes use it. The second one takes the time that the first one leaves. Neither
# inherits HERE: a wheel would not be installed where the checkout is found.
LANE = $(MAKE) --no-print-directory -j1 -o extension

test: lint types derived extension
	@$(BIN)/python -P tests/lanes.py "$(LANE) interop" "nice $(LANE) others trial plugins wheel"
	@echo "All tests passed."

venv: $(VENV)/for-tests

$(VENV)/for-tests: $(VENV)/bin/python $(PACKAGING)
	@echo "Installing what tests need into $(VENV)"
	@rm -rf build/lib build/lib.*
	@$(PIP) install --quiet '.[test]'
	@touch $@

# Optional: without a compiler the same loops run in Python.
extension: $(VENV)/for-tests
	@$(BIN)/python setup.py --quiet build_ext --inplace || echo "No compiled loops; the tests use the Python ones."

lint: $(VENV)/for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/for-tests
	$(BIN)/mypy

derived: $(VENV)/for-tests
	$(HERE) $(BIN)/python -m rotoro.derive --check
	$(HERE) $(BIN)/python -m rotonda.cli.derive --check

pytest: $(VENV)/for-tests extension
	$(HERE) $(BIN)/python -m pytest

interop: $(VENV)/for-tests extension
	$(HERE) $(BIN)/python -m pytest interop

others: $(VENV)/for-tests extension
	$(HERE) $(BIN)/python -m pytest $(OTHERS)

trial: $(VENV)/for-tests extension
	$(HERE) $(BIN)/python -m twisted.trial --reporter=text tests

plugins: $(VENV)/for-tests
	@for daemon in $(DAEMONS); do \
	  $(HERE) $(BIN)/twistd --help | grep "^ *$$daemon " >/dev/null || { echo "twistd does not know $$daemon"; exit 1; }; \
	done
	@echo "twistd knows $(DAEMONS)"

# What a user gets: a wheel in an environment of its own, away from the checkout.
wheel: $(VENV)/for-tests
	@rm -rf build/lib build/lib.*
	@folder=`mktemp -d` && trap 'rm -rf "$$folder"' EXIT && trap 'exit 130' INT TERM && \
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir "$$folder" . && \
	$(BIN)/python -m venv "$$folder/venv" && cd "$$folder" && \
	venv/bin/python -m pip --disable-pip-version-check install --quiet *.whl && \
	for daemon in $(DAEMONS); do \
	  venv/bin/twistd --help | grep "^ *$$daemon " >/dev/null || { echo "the wheel has no $$daemon"; exit 1; }; \
	done && \
	venv/bin/rotonda check $(CURDIR)/spec/examples/*.blocks && \
	{ venv/bin/rotonda-demo --prefixes4 300 --prefixes6 50 --peers 2 --check >demo.log 2>&1 || { cat demo.log; exit 1; }; } && \
	echo "The wheel has $(DAEMONS), rotonda and rotonda-demo"

clean:
	rm -rf $(VENV) build dist *.egg-info _trial_temp* .mypy_cache .ruff_cache .hypothesis
	find rotoro daemons -name '*.so' -o -name '_bulk.c' -o -name '_tables.py' | xargs rm -f
