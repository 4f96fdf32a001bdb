# make setup       the virtual environment with the pinned dependencies, nothing else
# make results     set-up, then the default study
# make test        set-up, then all tests
# make test-slurm  set-up, then the tests on a SLURM of one node, installed if it is missing (Debian, as root)
# make data        the data of the study and its conditions, nothing else: first, before pulled results are extended
# make record      the study brought up to date, then recorded with DVC and pushed; git commit is yours
# make report      report.html of what is there
# make lint        style, structure of the code, dead links, readable configuration
# make digests     the list of the modules that each rule's results depend on (tests/structure/digests.yaml)
# make audit       known weaknesses of the pinned dependencies (needs a network)
# Needs Python 3.11 to 3.13, git and make. A second call does no set-up.
PYTHON ?= python3
CORES ?= all
VENV := .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# The progress view is a logger plugin that Snakemake finds in src/.
export PYTHONPATH := $(CURDIR)/src$(if $(PYTHONPATH),:$(PYTHONPATH))
WORKFLOW := snakemake --logger clipfair --cores $(CORES) --keep-going

.PHONY: setup results test test-slurm data record report lint digests audit lock clean
.DEFAULT_GOAL := results

setup: $(READY)

$(READY): requirements.lock envs/setup.sh
	@bash envs/setup.sh "$(PYTHON)" "$(VENV)"

results: setup
	@$(WORKFLOW)

test: setup
	@python -m pytest -n 2

test-slurm: setup
	@tests/slurm/cluster start
	@eval "$$(tests/slurm/cluster env)" && python -m pytest tests/slurm; status=$$?; tests/slurm/cluster stop; exit $$status

# What is missing only because it was not pulled would make everything made from it look out of date: it comes first.
data: setup
	@$(WORKFLOW) --until prepare_dataset make_condition fetch_weights

# A study may have no models to evaluate.
record: results
	@mkdir -p results/evaluate
	@dvc commit --force --quiet
	@dvc push

report: setup
	@snakemake --report report.html --quiet

lint: setup
	@ruff check .
	@ruff format --check .
	@snakefmt --check Snakefile workflow
	@snakemake --lint
	@python -m pytest -q tests/structure

digests: setup
	@python -m tests.structure.digests

audit: setup
	@pip-audit --requirement requirements.lock --require-hashes --disable-pip

# Newest versions that fit pyproject.toml; the lock names versions and hashes, no index.
lock: setup
	@uv pip compile pyproject.toml --upgrade --quiet --all-extras --universal \
	  --python-version 3.11 --fork-strategy fewest --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-find-links --output-file requirements.lock
	@python envs/render.py

# What the workflow made is not touched: results/, data/, scratch/.
clean:
	rm -rf $(VENV) logs report.html .pytest_cache .ruff_cache .hypothesis
