# `make demo` is the first thing to type; `make help` lists the rest.
# PYTHON=python3.12 chooses the Python, TORCH=cuda the build of torch (see tools/setup).
export PYTHON TORCH
CORES ?= $(shell nproc)
BIN := .venv/bin
SBOM ?= sbom.json

.DEFAULT_GOAL := help
.PHONY: help demo setup setup-cluster setup-dev test lint format bench bench-accuracy bench-faults bench-scaling audit sbom lock

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: setup ## measure two rendered people of known measurements, and an empty room
	@$(BIN)/tapeless demo

setup: ## install what running needs (TORCH=cuda for NVIDIA cards)
	@tools/setup

setup-cluster: ## and what Slurm, Kubernetes and S3 need (docs/slurm.md)
	@tools/setup cluster

setup-dev: ## and what tests and checks need
	@tools/setup dev

test: setup-dev ## run all tests
	$(BIN)/python -m pytest

lint: setup-dev ## run all checks of style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow rules benchmarks
	$(BIN)/snakemake --lint
	$(BIN)/mypy
	@# there is no hadolint for other processors
	[ "$$(uname -m)" != x86_64 ] || $(BIN)/hadolint containers/*/Dockerfile tests/containers/standins/*/Dockerfile

format: setup-dev ## put everything into the style that `make lint` checks
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow rules benchmarks

bench: setup ## measure time and memory (ten minutes)
	$(BIN)/snakemake --snakefile benchmarks/cohort.smk --cores $(CORES) --config cohort=timed
	$(BIN)/snakemake --snakefile benchmarks/cohort.smk --cores $(CORES) --config cohort=speed
	$(BIN)/snakemake --snakefile benchmarks/Snakefile --cores $(CORES)

# What was measured is in benchmarks/results/scaling: delete that to measure again.
bench-scaling: setup ## measure what thousands of videos cost (an hour), on a machine that does nothing else
	$(BIN)/snakemake --cores $(CORES) resources/anny_shape_space.npz
	$(BIN)/snakemake --snakefile benchmarks/scaling.smk --cores $(CORES) --resources machine=1 --forcerun write_scaling

# A run that was interrupted goes on where it was. ADULTS=4 takes fewer people of every cohort, to try, in a folder of
# its own. TAPELESS_RECORDING=walk.mp4 is the recording of a real person, see benchmarks/config.yaml.
COHORTS := calibration repeats evaluation
bench-accuracy: setup ## measure accuracy and coverage, and set the width of intervals (75 minutes)
	@for cohort in $(COHORTS); do for part in cohort accuracy; do \
	  $(BIN)/snakemake --snakefile benchmarks/$$part.smk --cores $(CORES) \
	    --config cohort=$$cohort $(if $(ADULTS),adults=$(ADULTS)) || exit; \
	done; done
	$(BIN)/python docs/generate.py # docs/checks.md says how much wider intervals without a turn are

audit: setup-dev ## look up all locked packages in a database of known vulnerabilities
	$(BIN)/python tools/audit

sbom: setup-dev ## write sbom.json: every package that running needs, with versions and hashes (CycloneDX)
	{ cat requirements.lock; grep '^torch==' requirements.in; } | $(BIN)/cyclonedx-py requirements \
	  --pyproject pyproject.toml --mc-type application --output-reproducible --output-file $(SBOM) -

bench-faults: setup ## damaged videos, kills, full disks: all that is survived (hours; as root)
	$(BIN)/snakemake --cores $(CORES) resources/anny_shape_space.npz
	$(BIN)/snakemake --snakefile benchmarks/faults.smk --cores $(CORES)

# torch is chosen by tools/setup. The others serve a check of jsonschema that nothing here asks for; where
# they are, loading them takes a second of every start of Snakemake.
NOT_LOCKED := torch rfc3987-syntax lark
lock: setup-dev ## find newer versions that fit requirements*.in, and write them down
	for set in "" -cluster -dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --upgrade \
	    --custom-compile-command "make lock" $(addprefix --no-emit-package ,$(NOT_LOCKED)) requirements$$set.in -o requirements$$set.lock || exit; \
	done
