# make setup       create the virtual environment with the pinned dependencies
# make results     run the default study
# make test        run the unit tests
# make test-workflow  run the tests that call the workflow and the commands as a user does
# make test-slurm  run the tests on a SLURM of one node, which is installed if it is missing (Debian, as root)
# make rehearsal   run the studies of real data whole, in miniature, in the folder rehearsal/
# make data        make the study's data, conditions and initial weights: needed before pulled results are extended
# make record      run the study, record its results with DVC and push them; git commit is left to you
# make report      write report.html about the existing results
# make verify      rebuild a sample of the results in scratch/verify and compare; reports, never fails
# make lint        check style, structure of the code, links and lines of the configuration
# make digests     list the modules that the results of each rule depend on, in tests/structure/digests.yaml
# make audit       look for known vulnerabilities of the pinned dependencies (needs a network)
# make lock        pin the newest versions of the dependencies
# make clean       remove the environment, logs and caches; results and data stay
# Needs Python 3.11.4 to 3.13, git and make. Every target but clean sets up the environment if it is missing.
PYTHON ?= python3
CORES ?= all
VENV := .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# The progress view is a logger plugin that Snakemake finds in src/.
export PYTHONPATH := $(CURDIR)/src$(if $(PYTHONPATH),:$(PYTHONPATH))
WORKFLOW := snakemake --logger clipfair --cores $(CORES) --keep-going

.PHONY: setup results test test-workflow test-slurm rehearsal data record report verify lint digests audit lock clean
.DEFAULT_GOAL := results

setup: $(READY)

$(READY): requirements.lock envs/setup.sh
	@bash envs/setup.sh "$(PYTHON)" "$(VENV)"

results: setup
	@$(WORKFLOW)

# The tests of a file share its fixtures in one process; folders in their order, the long ones first.
PYTEST := python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test: setup
	@$(PYTEST) tests/unit tests/structure

test-workflow: setup
	@$(PYTEST) tests/rehearsal tests/study tests/faults tests/workflow

test-slurm: setup
	@tests/slurm/cluster start
	@eval "$$(tests/slurm/cluster env)" && python -m pytest tests/slurm; status=$$?; tests/slurm/cluster stop; exit $$status

# It goes on where it was stopped; remove the folder to start again.
rehearsal: setup
	@python -m tests.rehearsal rehearsal --cores $(CORES)

# Files that were not pulled have to be made first: as new files they would make all results look outdated.
data: setup
	@$(WORKFLOW) -- data

# dvc.yaml names results/evaluate, which a study without models does not make.
record: results
	@mkdir -p results/evaluate
	@dvc commit --force --quiet
	@dvc push

report: setup
	@snakemake --report report.html --quiet

verify: setup
	@python -m clipfair.plan.verification --cores $(CORES)

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

# The newest versions that pyproject.toml allows, with hashes and without the address of an index.
lock: setup
	@uv pip compile pyproject.toml --upgrade --quiet --all-extras --universal \
	  --python-version 3.11 --fork-strategy fewest --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-find-links --output-file requirements.lock
	@python envs/render.py

# results/, data/, scratch/ and rehearsal/ stay.
clean:
	rm -rf $(VENV) logs report.html .pytest_cache .ruff_cache .hypothesis
