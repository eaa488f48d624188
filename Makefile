# make demo   the main job: real nodes, a bag played into them, pictures of flow and depth in demo_out/
# make test   the whole suite;   make lint   format, lint and types
# Both set everything up first (make setup). With a ROS 2 distribution sourced, its rclpy is used;
# otherwise rclpy and the messages come as wheels into .venv.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The pins need Python 3.11 or newer; an older interpreter (Humble's 3.10) gets setup.py's ranges.
CONSTRAINTS := $(shell $(PYTHON) -c 'import sys; print("-c constraints.txt" if sys.version_info >= (3, 11) else "")')
ifdef ROS_DISTRO
VENV_FLAGS := --system-site-packages
EXTRAS := dev,eval,onnx,ray
else
EXTRAS := ros,dev,eval,onnx,ray
endif
BAG ?=
OUT ?= demo_out
TEST_ARGS ?=
# Files run beside each other, a processor each (test/conftest.py says what stays together).
WORKERS ?= auto

.PHONY: setup demo test lint format clean

setup: $(READY)

$(READY): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "make setup: $$($(PYTHON) --version) is too old, Python 3.10 or newer is needed (make PYTHON=python3.11 ...)"; exit 2; }
	$(PYTHON) -m venv $(VENV_FLAGS) $(VENV)
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) "setuptools>=64,<80" wheel
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) --no-build-isolation --editable ".[$(EXTRAS)]"
	@touch $@

demo: setup
	$(BIN)/zeroco demo $(if $(BAG),--bag "$(BAG)") --out "$(OUT)"

test: setup
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadgroup $(TEST_ARGS)

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy zeroco_ros

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf build install log dist demo_out *.egg-info
