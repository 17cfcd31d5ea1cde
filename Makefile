# make demo   the main job: for each backend an embedded server, a runner, tasks and pipelines; ends by itself
# make test   the tests
# make soak   minutes of what may go wrong: every kill, fault and order of events, then thousands of tasks; see docs
# make docs   the documentation site, in dist/docs; warnings are errors. make docs-serve shows it on loopback
# make repeat the tests of what may go wrong N=20 times in a row; TESTS="..." names others
# make fuzz   search for inputs that break a parser: TARGET=manifest MINUTES=5; see docs/security.md
# make notes  what the changelog says of VERSION=0.1.0, for its tag; see docs
# make check  lint, types, layer rules; make ci runs all that CI runs

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
DOCS_STAMP := $(VENV)/.docs
SITE := dist/docs
PROJECTS := pyproject.toml plugins/docker/pyproject.toml plugins/drone/pyproject.toml plugins/harness/pyproject.toml

# Kills, signals, drains, reloads, takeovers, full disks, journal and outbox: what must never pass by luck.
N ?= 20
TESTS ?= tests/reliability tests/processes $(addprefix tests/core/test_,cancelling.py dying.py host.py journal.py \
  journal_machine.py limits.py outbox.py recovery.py session.py session_hooks.py slots.py) \
  $(addprefix tests/integration/test_,outbox.py reload.py run.py steering.py tasks.py) \
  $(addprefix tests/harness/test_,aborts.py recovery.py)

.PHONY: demo test soak repeat fuzz check ci lint types layers smoke image dist bench reference pictures docs docs-serve lock clean

demo: $(STAMP)
	@$(BIN)/delegate demo

test: $(STAMP)
	@$(BIN)/python -m pytest -n auto $(ARGS)

soak: $(STAMP)
	@$(BIN)/python -m pytest -n auto -o faulthandler_timeout=1200 --exhaustive tests/reliability
	@$(BIN)/python -m tests.reliability.soak $(ARGS)

repeat: $(STAMP)
	@$(BIN)/python -m tests.repeat $(N) -n auto $(TESTS)
fuzz: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/fuzz.txt
	@$(BIN)/python -m tests.fuzz $(or $(TARGET),$(error say TARGET=, a name of tests/fuzz)) --minutes $(or $(MINUTES),1)

check: lint types layers

ci:
	@bash .ci/run

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)
	@$(BIN)/mypy

layers: $(STAMP)
	@$(BIN)/lint-imports

smoke: $(STAMP)
	@$(BIN)/python -m tests.smoke

reference: $(STAMP)
	@$(BIN)/python -m docs.generators

pictures: $(STAMP)
	@$(BIN)/python -m docs.pictures.dashboard

notes: $(STAMP)
	@$(BIN)/python -m docs.generators.notes $(or $(VERSION),$(error say VERSION=, one of the changelog))

image: $(STAMP)
	@$(BIN)/python -m tests.image

dist: $(STAMP)
	@for project in $(dir $(PROJECTS)); do (cd $$project && $(CURDIR)/$(BIN)/python -m hatchling build -d $(CURDIR)/dist) || exit; done

bench: $(STAMP)
	@$(BIN)/python benchmarks/bench.py $(ARGS)
	@$(BIN)/python benchmarks/containers.py

docs: $(DOCS_STAMP)
	@$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --nitpicky --quiet --jobs auto docs $(SITE)
	@echo "$(SITE)/index.html"

docs-serve: docs
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory $(SITE) 8000

# The locked requirements with their hashes first (all of them are named there: no resolver may look for newer ones);
# then our own distributions, which pip cannot check by hash.
$(STAMP): requirements/dev.txt $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@echo "setting up $(VENV) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e plugins/docker -e plugins/drone -e plugins/harness
	@touch $(STAMP)

$(DOCS_STAMP): requirements/docs.txt $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/docs.txt
	@touch $(DOCS_STAMP)

LOCK := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11

lock:
	$(LOCK) --no-emit-package delegate-core --group dev --extra otel $(PROJECTS) --output-file requirements/dev.txt
	$(LOCK) --no-emit-package delegate-core --extra otel $(PROJECTS) --constraint requirements/dev.txt --output-file requirements/run.txt
	$(LOCK) --group build --constraint requirements/dev.txt --output-file requirements/build.txt
	$(LOCK) --group docs --constraint requirements/dev.txt --output-file requirements/docs.txt
	$(LOCK) --group pyproject.toml:fuzz --output-file requirements/fuzz.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
