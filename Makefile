# The same verbs for people and for CI. Each does its own set-up; Python >= 3.11 and make are all it needs.
.PHONY: demo test check docs bench soak serve bento

# The interpreter that is there; never one to be downloaded. Override: make test PYTHON=python3.12
PYTHON ?= python3
UV = .uv/bin/uv
RUN = .venv/bin
READY = .venv/.ready
PROJECT ?= foresail-demo
# The moment that the service speaks for; empty is the moment of each request. The demo's data ends with 2017.
AS_OF ?= $(if $(filter foresail-demo,$(PROJECT)),2018-01-01)

# The tests read a real PostgreSQL, of their own and only while they run. Debian keeps its programs out of the path.
FIND_POSTGRES = ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null
AS_ROOT = $(if $(filter 0,$(shell id -u)),,sudo -n)
APT = $(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get -qq
INSTALL_POSTGRES = { echo "Installing PostgreSQL for the tests" && \
  { $(APT) install -y --no-install-recommends postgresql || { $(APT) update && $(APT) install -y --no-install-recommends postgresql; }; } >/dev/null 2>&1; }

export UV_PYTHON_DOWNLOADS = never
# An environment that happens to be active is not the project's.
unexport VIRTUAL_ENV
export MLFLOW_DISABLE_TELEMETRY = true
export BENTOML_DO_NOT_TRACK = True
export NO_MKDOCS_2_WARNING = 1

demo: $(READY)    ## The whole way on real data: ingest, train, evaluate, score, report, a night
	$(RUN)/foresail demo $(PROJECT)

test: $(READY)    ## All tests, in parallel
	@$(FIND_POSTGRES) || $(INSTALL_POSTGRES) || echo "PostgreSQL is not installed and cannot be from here (apt-get install postgresql): its tests will be skipped"
	$(RUN)/pytest -n auto --dist loadfile --no-loadscope-reorder

check: $(READY)   ## Formatter, linter, types, import contracts, unused dependencies
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/deptry .

docs: $(READY)    ## The documentation site, into site/; needs no network, fails on a dead link
	$(RUN)/mkdocs build --strict
	@echo "site/index.html"

# BENCH_EVENTS=20_000_000 for the full size
bench: $(READY)   ## Every stage beside its peers on the same input; needs some minutes
	$(RUN)/python benchmarks --events $(or $(BENCH_EVENTS),2_000_000)

soak: $(READY)    ## A hundred kills -9 each of ingest, merge, erasure, the night, deciding and delivering, minutes of made-up requests, property tests with new cases; needs an hour
	FORESAIL_SOAK_KILLS=100 FORESAIL_SOAK_SECONDS=300 $(RUN)/pytest tests/soak tests/integration/serving/test_resources.py -q
	HYPOTHESIS_PROFILE=explore $(RUN)/pytest -m hypothesis -q -n auto

bento: $(READY)   ## Pack the service, for `bentoml serve foresail:latest` anywhere
	PATH=$(CURDIR)/.uv/bin:$$PATH $(RUN)/bentoml build

serve: $(READY)   ## Serve the champion of PROJECT (default: the demo's), as of AS_OF
	$(RUN)/foresail serve --project $(PROJECT) $(if $(AS_OF),--as-of $(AS_OF))

$(UV):
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Foresail needs Python 3.11, 3.12 or 3.13; $(PYTHON) is {v[0]}.{v[1]}. Name another one: make PYTHON=python3.12")'
	@$(PYTHON) -m venv .uv || { rm -rf .uv; echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	.uv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.13,<0.14"

$(READY): $(UV) pyproject.toml uv.lock
	$(UV) sync --locked --all-extras --all-groups --compile-bytecode --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	@touch $(READY)
