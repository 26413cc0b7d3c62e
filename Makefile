# One entry for every task; CI calls the same targets. `make help` lists them.
# What a target needs it installs itself: virtual environments in the tree, Debian packages where it is root.
# Stamp files keep a second run quick; `make clean` removes all of it.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

FASTAPI_PORT := $(or $(PORT),8000)
DOCS_PORT := $(or $(PORT),8002)
PORT ?= 8501
ARGS ?=
TARGET := $(or $(CARGO_TARGET_DIR),target)
CARGO ?= cargo

# The interpreter everything uses unless told otherwise: make test PYTHON=python3.12
override PYTHON := $(shell PYTHON="$(PYTHON)" scripts/find-python)
PYVER := $(shell $(or $(PYTHON),false) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
# Cargo builds the extension crate against this one too, so that its artefacts stay fresh.
export PYO3_PYTHON := $(PYTHON)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start thousands of processes: what those import is compiled by the first of them, and not by each.
export PYTHONDONTWRITEBYTECODE :=
PIP_INSTALL := -m pip install --quiet --no-compile

APP_ENV := .venv
# maturin builds for any interpreter, so one is enough.
TOOLS_ENV := .venv-tools/maturin
PACKAGE_ENV := .venv-tools/package
AUDIT_ENV := .venv-tools/audit
LINT_ENV := .venv-tools/lint-py$(PYVER)
DOCS_ENV := .venv-tools/docs-py$(PYVER)
TEST_ENV := .venv-test/py$(PYVER)

STREAMLITS := $(shell grep -v '^\#' python/tests/streamlit-versions.txt)
STREAMLIT_OLDEST := $(firstword $(STREAMLITS))
STREAMLIT_NEWEST := $(lastword $(STREAMLITS))
STREAMLIT ?= $(STREAMLIT_NEWEST)
STREAMLIT_ENV := .venv-test/streamlit-$(STREAMLIT)
# The tests that need no host.
CORE_TESTS := python/tests $(addprefix --ignore=python/tests/,streamlit_host reference browser frameworks notebooks chainlit cluster)
FRAMEWORKS_ENV := .venv-test/frameworks-py$(PYVER)
NOTEBOOKS_ENV := .venv-test/notebooks-py$(PYVER)
CLUSTER_ENV := .venv-test/cluster-py$(PYVER)
CHAINLIT_ENV := .venv-test/chainlit-py$(PYVER)
# Each in a process of its own: they put different things on the stage under the same names.
STREAMLIT_TESTS := python/tests/streamlit_host python/tests/reference python/tests/test_docs.py python/tests/test_reference.py

# Supported interpreters that few systems have yet: Debian's archive has them.
FETCHED_PYTHONS := 3.14
FRAMEWORKS_PAGES := asgi $(addprefix hosts/,gradio mcp nicegui panel shiny)
FRAMEWORKS_TESTS := python/tests/frameworks \
	$(foreach page,$(FRAMEWORKS_PAGES),'python/tests/test_docs.py::test_page_runs[docs/guide/$(page).md]') \
	$(foreach name,gradio mcp,'python/tests/test_reference.py::test_every_public_name_has_a_docstring_with_an_example_that_runs[tenure.$(name).install]')
NOTEBOOKS_TESTS := python/tests/notebooks
# What the client of kernels leaves to the collector, loops and their sockets, is its own matter.
LEFT_BY_CLIENTS := -W ignore::ResourceWarning -W ignore::pytest.PytestUnraisableExceptionWarning
CLUSTER_TESTS := python/tests/cluster 'python/tests/test_docs.py::test_page_runs[docs/guide/cluster.md]'
# More processes than cores for the tests of one target: most of their time they wait for something. Those of a file share a
# server in a browser.
FOUR_PROCESSES := -n 4 --dist worksteal
TWO_BROWSERS := -n 2 --dist loadfile
SPREAD ?=

RUST_SOURCES := Cargo.toml $(wildcard Cargo.lock) python/Cargo.toml python/pyproject.toml \
	$(shell find $(addprefix crates/,tenure tenure-digest tenure-duration tenure-fleet tenure-macros) python/src \
		-name '*.rs' -o -name 'Cargo.toml' 2>/dev/null)
PY_SOURCES := $(shell find python/tenure -type f ! -name '*.so' ! -path '*__pycache__*' 2>/dev/null)
TEST_WHEEL := $(TARGET)/wheels/test-$(PYVER)
RELEASE_WHEEL := $(TARGET)/wheels/release-$(PYVER)
INSTALL_WHEEL := -m pip install --quiet --no-compile --no-deps --force-reinstall

.PHONY: help docs docs-live docs-rust docs-build docs-look demo demo-fastapi demo-fleet wheel test lint lint-format lint-rust lint-python lint-types format bench clean python-found \
	test-versions test-apart test-rust test-rust-hosts model test-python test-python-ready \
	test-streamlit-one test-streamlit-ready test-frameworks test-chainlit test-notebooks test-cluster test-browser screenshots \
	miri miri-ready miri-engine miri-digest miri-digest-x86 miri-long \
	matrix browser-long model-long stress-long restarts-long fuzz bench-page bench-python bench-rust package audit

help: ## list the targets
	@grep -hE '^[a-z0-9.%-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([^:]+):.*## /\1\t/' | expand -t 20

python-found:
	@test -n "$(PYTHON)" || scripts/find-python

# --- environments ---------------------------------------------------------------------------------

# The version is in every stamp of an environment whose folder has none, so that another PYTHON makes it anew.
%/.made-$(PYVER): | python-found
	scripts/make-venv $(PYTHON) $*
	touch $@

$(TOOLS_ENV)/.maturin: | python-found
	scripts/make-venv $(PYTHON) $(TOOLS_ENV)
	$(TOOLS_ENV)/bin/python $(PIP_INSTALL) 'maturin>=1.9,<2'
	touch $@

$(TEST_WHEEL)/.built: $(RUST_SOURCES) $(PY_SOURCES) | $(TOOLS_ENV)/.maturin
	scripts/build-wheel $(PYTHON) stress $(TOOLS_ENV)/bin/maturin $(@D)
	touch $@

$(RELEASE_WHEEL)/.built: $(RUST_SOURCES) $(PY_SOURCES) | $(TOOLS_ENV)/.maturin
	scripts/build-wheel $(PYTHON) release $(TOOLS_ENV)/bin/maturin $(@D)
	touch $@

$(APP_ENV)/.tenure-$(PYVER): $(RELEASE_WHEEL)/.built | $(APP_ENV)/.made-$(PYVER)
	$(APP_ENV)/bin/python $(INSTALL_WHEEL) $(RELEASE_WHEEL)/*.whl
	touch $@

$(APP_ENV)/.demo-$(PYVER): examples/streamlit/requirements.txt | $(APP_ENV)/.made-$(PYVER)
	$(APP_ENV)/bin/python $(PIP_INSTALL) -r examples/streamlit/requirements.txt
	touch $@

$(APP_ENV)/.demo-fastapi-$(PYVER): examples/fastapi/requirements.txt | $(APP_ENV)/.made-$(PYVER)
	$(APP_ENV)/bin/python $(PIP_INSTALL) -r examples/fastapi/requirements.txt
	touch $@

$(APP_ENV)/.bench-$(PYVER): python/bench/requirements.txt | $(APP_ENV)/.made-$(PYVER)
	$(APP_ENV)/bin/python $(PIP_INSTALL) -r python/bench/requirements.txt
	touch $@

$(TEST_ENV)/.requirements: python/tests/requirements.txt
$(FRAMEWORKS_ENV)/.requirements: python/tests/requirements-frameworks.txt examples/fastapi/requirements.txt
$(NOTEBOOKS_ENV)/.requirements: python/tests/requirements-notebooks.txt
# By itself, since Chainlit takes no mcp 2.
$(CHAINLIT_ENV)/.requirements: python/tests/requirements-chainlit.txt
$(CLUSTER_ENV)/.requirements: python/tests/requirements-cluster.txt
$(LINT_ENV)/.requirements: python/tests/requirements-lint.txt
$(PACKAGE_ENV)/.requirements: scripts/package/requirements.txt

LISTED_ENVS := $(TEST_ENV) $(FRAMEWORKS_ENV) $(NOTEBOOKS_ENV) $(CHAINLIT_ENV) $(CLUSTER_ENV) $(LINT_ENV)
$(LISTED_ENVS:%=%/.requirements) $(PACKAGE_ENV)/.requirements: %/.requirements: | %/.made-$(PYVER)
	$*/bin/python $(PIP_INSTALL) $(foreach file,$^,-r $(file))
	touch $@

$(STREAMLIT_ENV)/.requirements: python/tests/requirements-streamlit.txt $(wildcard examples/streamlit/requirements.txt) \
		| $(STREAMLIT_ENV)/.made-$(PYVER)
	$(STREAMLIT_ENV)/bin/python $(PIP_INSTALL) streamlit==$(STREAMLIT) $(foreach file,$^,-r $(file))
	touch $@

# All that runs Tenure has the same wheel.
$(LISTED_ENVS:%=%/.tenure) $(STREAMLIT_ENV)/.tenure: %/.tenure: $(TEST_WHEEL)/.built | %/.made-$(PYVER)
	$*/bin/python $(INSTALL_WHEEL) $(TEST_WHEEL)/*.whl
	touch $@

$(AUDIT_ENV)/.requirements: | $(AUDIT_ENV)/.made-$(PYVER)
	$(AUDIT_ENV)/bin/python $(PIP_INSTALL) 'pip-audit>=2.9,<3'
	touch $@

$(DOCS_ENV)/.requirements: docs/site/requirements.txt | $(DOCS_ENV)/.made-$(PYVER)
	$(DOCS_ENV)/bin/python $(PIP_INSTALL) --no-deps -r $<
	touch $@

$(DOCS_ENV)/.look: $(DOCS_ENV)/.requirements
	$(DOCS_ENV)/bin/python $(PIP_INSTALL) 'playwright>=1.48,<2'
	touch $@

# --- what people run ------------------------------------------------------------------------------

demo: $(APP_ENV)/.demo-$(PYVER) $(APP_ENV)/.tenure-$(PYVER) ## the demo app, on port 8501 or PORT=
	@scripts/demo $(APP_ENV)/bin/python $(PORT)

demo-fastapi: $(APP_ENV)/.demo-fastapi-$(PYVER) $(APP_ENV)/.tenure-$(PYVER) ## a FastAPI app with PostgreSQL, on port 8000 or PORT=
	@scripts/debian '/usr/lib/postgresql/*/bin/initdb' postgresql
	@SUPPLIER_URL=http://127.0.0.1:$(FASTAPI_PORT)/supplier scripts/with-postgresql $(APP_ENV)/bin/python -m uvicorn \
		--app-dir examples/fastapi --port $(FASTAPI_PORT) app:app

demo-fleet: $(APP_ENV)/.demo-$(PYVER) $(APP_ENV)/.tenure-$(PYVER) ## the demo app as two servers behind a proxy, with a Redis
	@scripts/debian redis-server redis-server
	@scripts/debian haproxy haproxy
	@scripts/demo-fleet $(APP_ENV)/bin/python $(PORT)

# Absolute, because it is another folder that the line is for.
wheel: $(RELEASE_WHEEL)/.built ## a wheel for a project of your own, and the line that installs it (PYTHON= for another)
	@echo 'In the environment of your project, for Python $(PYVER):'
	@echo "    pip install '$$(ls $(abspath $(RELEASE_WHEEL))/*.whl)'"

MKDOCS = NO_MKDOCS_2_WARNING=1 $(DOCS_ENV)/bin/python -m mkdocs

docs: docs-rust ## the guide as a site, with the reference of the crates, on port 8002 or PORT=
	@$(DOCS_ENV)/bin/python -m http.server --bind 127.0.0.1 --directory $(TARGET)/site $(DOCS_PORT)

docs-live: $(DOCS_ENV)/.requirements ## the guide alone, built anew when a page is saved
	@$(MKDOCS) serve --config-file docs/site/mkdocs.yml --dev-addr 127.0.0.1:$(DOCS_PORT)

# Compiling what the crates stand on takes its time, so that the check of the guide does without. Links to a crate lead to
# its reference then, and to its source otherwise.
docs-rust:
	@TENURE_RUSTDOC=1 $(MAKE) docs-build
	$(CARGO) doc --quiet --no-deps --all-features $(addprefix -p ,tenure tenure-fleet tenure-tower)
	@rm -rf $(TARGET)/site/rustdoc && cp -r $(TARGET)/doc $(TARGET)/site/rustdoc

# A dead link or anchor, a missing page and one that is not listed fail it. Not with --quiet: MkDocs then counts no warning.
docs-build: $(DOCS_ENV)/.requirements ## the guide as a site, in target/site
	@$(MKDOCS) build --strict --config-file docs/site/mkdocs.yml --site-dir $(abspath $(TARGET))/site

# A test that skips itself for want of a server fails here: nobody reads which ones were skipped.
test test-versions: export TENURE_REDIS_REQUIRED := 1
test test-versions: export TENURE_POSTGRESQL_REQUIRED := 1

# Two lanes that take about as long: one compiles while the other waits for processes and servers. The wheel that both
# need comes first in one, and the other has crates to compile until it is there.
test: | python-found ## every test once: Rust, models, one Python, the newest Streamlit, the browser
	@echo "$@: the tests on Python $(PYVER) and of frameworks and notebooks, beside those in Rust, the models, Streamlit $(STREAMLIT_NEWEST)" \
		"and Chromium; about a quarter of an hour on two cores, builds included"
	@printf '%s\n' \
		'python: $(MAKE) --keep-going test-python test-frameworks test-notebooks test-streamlit-one SPREAD="$(FOUR_PROCESSES)"' \
		'rust: $(MAKE) --keep-going test-rust model test-browser SPREAD="$(TWO_BROWSERS)"' | scripts/side-by-side

# The wheels one after the other, since they share cargo's target directory; then the tests side by side. Of the generated
# cases fewer: they are about values, and one Python has had all of them.
test-versions: | python-found ## the same Python tests on the other Pythons, and the oldest Streamlit
	@for minor in $(FETCHED_PYTHONS); do $(MAKE) python-$$minor || true; done
	@echo "$@: the tests on $$(scripts/find-python --all 2>/dev/null | sed '/^$(PYVER) /d; s/ .*/,/' | xargs)" \
		"and Streamlit $(STREAMLIT_OLDEST), two at a time; about a quarter of an hour on two cores, builds included"
	@$(MAKE) test-streamlit-ready STREAMLIT=$(STREAMLIT_OLDEST)
	@scripts/find-python --all | sed '/^$(PYVER) /d' | while read -r minor path; do \
		$(MAKE) test-python-ready PYTHON=$$path </dev/null || exit 1; \
	done
	@{ echo 'streamlit: $(MAKE) test-streamlit-one STREAMLIT=$(STREAMLIT_OLDEST)'; \
		scripts/find-python --all 2>/dev/null | sed '/^$(PYVER) /d' | while read -r minor path; do \
			echo "$$minor: TENURE_TESTS=few $(MAKE) test-python PYTHON=$$path"; \
		done; } | scripts/side-by-side

python-3.%: ## CPython 3.14 or 3.15 from Debian's archive, in .pythons, where it is not installed
	@scripts/find-python --minor 3.$* >/dev/null || scripts/debian-python 3.$*

test-rust: ## every crate but Python's, the examples, and what the documentation shows
	@scripts/debian --optional redis-server redis-server
	$(CARGO) test --workspace --exclude tenure-python --all-features --no-fail-fast $(ARGS)

# Crates that nobody needs who builds or tests Tenure: a workspace of its own.
test-rust-hosts: ## the Rust examples with hosts of their own: actix-web, egui without a window
	CARGO_TARGET_DIR=$(abspath $(TARGET))/rust-hosts $(CARGO) test --manifest-path examples/rust-hosts/Cargo.toml $(ARGS)

test-python: test-python-ready ## the Python tests without a host, for one interpreter (PYTHON=, ARGS='-k name')
	$(TEST_ENV)/bin/python -m pytest -c python/pyproject.toml $(CORE_TESTS) $(SPREAD) $(ARGS)

test-python-ready: $(TEST_ENV)/.requirements $(TEST_ENV)/.tenure
	@scripts/debian --optional '/usr/lib/postgresql/*/bin/initdb' postgresql
	@scripts/debian --optional redis-server redis-server

test-streamlit-one: test-streamlit-ready ## the Streamlit host with one version (STREAMLIT=)
	@echo "== Streamlit $(STREAMLIT)"
	@failed=; for tests in $(STREAMLIT_TESTS); do \
		$(STREAMLIT_ENV)/bin/python -m pytest -c python/pyproject.toml $$tests $(SPREAD) $(ARGS) || failed=1; \
	done; test -z "$$failed"

test-streamlit-ready: $(STREAMLIT_ENV)/.requirements $(STREAMLIT_ENV)/.tenure

test-frameworks: $(FRAMEWORKS_ENV)/.requirements $(FRAMEWORKS_ENV)/.tenure ## FastAPI, Starlette, Litestar, Quart, LangChain, MCP, Gradio, NiceGUI, Panel, Shiny
	@scripts/debian --optional '/usr/lib/postgresql/*/bin/initdb' postgresql
	$(FRAMEWORKS_ENV)/bin/python -m pytest -c python/pyproject.toml -p no:asyncio $(FRAMEWORKS_TESTS) $(SPREAD) $(ARGS)

test-notebooks: $(NOTEBOOKS_ENV)/.requirements $(NOTEBOOKS_ENV)/.tenure ## Jupyter kernels and marimo servers
	$(NOTEBOOKS_ENV)/bin/python -m pytest -c python/pyproject.toml $(NOTEBOOKS_TESTS) $(LEFT_BY_CLIENTS) $(SPREAD) $(ARGS)

test-apart: | python-found ## Chainlit, and the Rust examples with hosts of their own: they share no environment with the rest
	@echo "$@: two minutes on two cores, builds included"
	@printf '%s\n' 'chainlit: $(MAKE) test-chainlit' 'hosts: $(MAKE) test-rust-hosts' | scripts/side-by-side

test-chainlit: $(CHAINLIT_ENV)/.requirements $(CHAINLIT_ENV)/.tenure ## the sessions of Chainlit
	$(CHAINLIT_ENV)/bin/python -m pytest -c python/pyproject.toml python/tests/chainlit \
		'python/tests/test_docs.py::test_page_runs[docs/guide/hosts/chainlit.md]' $(ARGS)

test-cluster: $(CLUSTER_ENV)/.requirements $(CLUSTER_ENV)/.tenure ## scope="cluster" on Ray, with two nodes on this machine
	$(CLUSTER_ENV)/bin/python -m pytest -c python/pyproject.toml $(CLUSTER_TESTS) $(ARGS)

miri: miri-ready ## the pointer code, interpreted: wrong pointers, data races and leaks (a nightly Rust, by rustup)
	@echo "$@: counted references and hits on the system's threads, and the digest; about two minutes on two cores"
	@printf '%s\n' 'engine: $(MAKE) miri-engine' 'digest: $(MAKE) miri-digest miri-digest-x86' | scripts/side-by-side

miri-ready:
	@scripts/miri-ready

# A slot names its entry by an address, which is turned back into a pointer: miri is told to take that as meant.
MIRI = CARGO_TARGET_DIR=$(TARGET)/miri $(CARGO) +nightly miri test --lib

miri-engine:
	MIRIFLAGS="-Zmiri-permissive-provenance $(MIRI_FLAGS)" $(MIRI) -p tenure -- counted:: model_hot:: $(ARGS)

miri-digest:
	MIRIFLAGS="$(MIRI_FLAGS)" $(MIRI) -p tenure-digest $(MIRI_TARGET) -- vectors:: $(ARGS)

# Interpreted, so that any processor will do.
miri-digest-x86:
	RUSTFLAGS='-Ctarget-feature=+sse4.1,+pclmulqdq$(MORE_FEATURES)' \
		$(MAKE) miri-digest MIRI_TARGET='--target x86_64-unknown-linux-gnu'

test-browser: test-streamlit-ready ## the demo in headless Chromium
	@scripts/debian chromium chromium
	@scripts/debian --optional redis-server redis-server
	@scripts/debian --optional haproxy haproxy
	TENURE_BROWSER_REQUIRED=1 $(STREAMLIT_ENV)/bin/python -m pytest -c python/pyproject.toml python/tests/browser $(SPREAD) $(ARGS)

docs-look: docs-build $(DOCS_ENV)/.look ## the site in headless Chromium: nothing from elsewhere, search, light, dark, phone
	@scripts/debian chromium chromium
	@$(DOCS_ENV)/bin/python scripts/look_at_docs.py $(TARGET)/site $(TARGET)/site-pictures

screenshots: ## the browser tests, which take the README's pictures anew
	TENURE_SCREENSHOTS=1 $(MAKE) test-browser ARGS='$(ARGS)'

browser-long: test-streamlit-ready ## fifty browser sessions that come and go for a minute
	@scripts/debian chromium chromium
	TENURE_TESTS=long TENURE_BROWSER_REQUIRED=1 $(STREAMLIT_ENV)/bin/python -m pytest -c python/pyproject.toml \
		python/tests/browser/test_browser_soak.py -o timeout=0 -s $(ARGS)

lint: lint-format lint-rust lint-python lint-types docs-build ## formatting, clippy, ruff, mypy, stubtest, pyright, the guide as a site

lint-format: $(LINT_ENV)/.requirements
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path bench/rust/Cargo.toml --check
	$(CARGO) fmt --all --manifest-path examples/rust-hosts/Cargo.toml --check
	$(LINT_ENV)/bin/ruff format --check python examples scripts docs/site

# The minimum Rust version is held by clippy's incompatible_msrv, which reads it from Cargo.toml.
lint-rust: | python-found
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings
	$(CARGO) clippy -p tenure --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --quiet --workspace --exclude tenure-python --all-features --no-deps

lint-python: $(LINT_ENV)/.requirements
	$(LINT_ENV)/bin/ruff check python examples scripts docs/site

lint-types: $(LINT_ENV)/.requirements $(LINT_ENV)/.tenure
	@cd python; bin=../$(LINT_ENV)/bin; failed=; \
	$$bin/mypy || failed=1; \
	$$bin/mypy typing_tests || failed=1; \
	(cd ..; MYPYPATH=python $(LINT_ENV)/bin/python -m mypy.stubtest tenure._native \
		--mypy-config-file python/pyproject.toml) || failed=1; \
	$$bin/pyright --pythonpath $$bin/python || failed=1; \
	test -z "$$failed"

format: $(LINT_ENV)/.requirements ## write the formatting that lint asks for
	$(CARGO) fmt --all
	$(CARGO) fmt --all --manifest-path examples/rust-hosts/Cargo.toml
	$(LINT_ENV)/bin/ruff format python examples scripts docs/site
	$(LINT_ENV)/bin/ruff check --fix python examples scripts docs/site

# --- long forms -----------------------------------------------------------------------------------

# What the long forms and the bounded ones share: TENURE_TESTS=long asks the tests for their long form.
LOOM = RUSTFLAGS='--cfg loom' CARGO_TARGET_DIR=$(TARGET)/loom $(CARGO) test -p tenure --no-default-features --lib model::
SHUTTLE = RUSTFLAGS='--cfg shuttle' CARGO_TARGET_DIR=$(TARGET)/shuttle $(CARGO) test -p tenure --no-default-features --profile stress --lib model::

model: ## the model checks, bounded: loom on the flight and the release path, shuttle on the whole cache
	LOOM_MAX_PREEMPTIONS=2 $(LOOM) $(ARGS)
	$(SHUTTLE) $(ARGS)

model-long: ## the same without the bound on time
	TENURE_TESTS=long LOOM_MAX_PREEMPTIONS=3 $(LOOM) --profile stress $(ARGS)
	TENURE_TESTS=long $(SHUTTLE) $(ARGS)

miri-long: miri-ready ## the same under many schedules (SEEDS=), with wider vectors and the other order of bytes
	$(MAKE) miri-engine MIRI_FLAGS='-Zmiri-many-seeds=0..$(or $(SEEDS),64)'
	$(MAKE) miri-digest-x86 MORE_FEATURES=,+avx2,+vpclmulqdq
	$(MAKE) miri-digest MIRI_TARGET='--target s390x-unknown-linux-gnu'

stress-long: test-python-ready ## ten million operations on 16 threads
	TENURE_TESTS=long $(TEST_ENV)/bin/python -m pytest -c python/pyproject.toml $(CORE_TESTS) \
		-m stress -o timeout=0 $(ARGS)

restarts-long: ## a FastAPI server that is restarted twenty times under load, and what PostgreSQL says of it
	TENURE_TESTS=long TENURE_POSTGRESQL_REQUIRED=1 $(MAKE) test-frameworks ARGS='-k restart -o timeout=0 -s $(ARGS)'

fuzz: test-python-ready ## the generated tests with many more cases, then the fuzzers (SECONDS= for each)
	PROPTEST_CASES=100000 $(CARGO) test -p tenure -p tenure-digest -p tenure-duration --release $(ARGS)
	TENURE_TESTS=long $(TEST_ENV)/bin/python -m pytest -c python/pyproject.toml $(CORE_TESTS) \
		-m hypothesis -o timeout=0 $(ARGS)
	scripts/fuzz $(or $(SECONDS),60)

matrix: ## the Streamlit host with every supported version
	$(foreach version,$(STREAMLITS),$(MAKE) test-streamlit-one STREAMLIT=$(version) &&) true

bench: bench-rust bench-python ## the peers beside Tenure in one run, as one table of ratios
	@$(APP_ENV)/bin/python python/bench/summary.py $(TARGET)/bench

bench-page: | python-found ## the guide's page on what it costs, with charts, from what `make bench` has measured
	$(PYTHON) python/bench/page.py $(TARGET)/bench docs/guide

bench-python: $(APP_ENV)/.bench-$(PYVER) $(APP_ENV)/.tenure-$(PYVER)
	@scripts/debian --optional redis-server redis-server
	$(APP_ENV)/bin/python python/bench --json $(TARGET)/bench/python.json $(ARGS)

# Twice, since what counting costs a hit is seen beside a build that counts none.
BENCH_BUILD = $(abspath $(TARGET))/bench/build
UNCOUNTED = $(BENCH_BUILD)/uncounted.json
bench-rust:
	cd bench/rust && RUSTFLAGS='--cfg tenure_uncounted' CARGO_TARGET_DIR=$(BENCH_BUILD)/uncounted \
		$(CARGO) run --quiet --release -- --uncounted $(UNCOUNTED) $(ARGS)
	cd bench/rust && CARGO_TARGET_DIR=$(BENCH_BUILD) $(CARGO) run --quiet --release -- \
		--uncounted $(UNCOUNTED) --json $(abspath $(TARGET))/bench/rust.json $(ARGS)

# What is built stays in a folder of its own beside: the crates of others, for the next run.
package: $(PACKAGE_ENV)/.requirements ## wheels for every Python, the source distribution and the crates, each checked as a stranger would
	@for minor in $(FETCHED_PYTHONS); do $(MAKE) python-$$minor || true; done
	@echo "$@: the source distribution, wheels for $$(scripts/find-python --all 2>/dev/null | sed 's/ .*/,/' | xargs) the crates," \
		"each used in a clean folder; twenty minutes on two cores, builds included"
	@$(PACKAGE_ENV)/bin/python scripts/package $(TARGET)/package $(TARGET)/package-work

audit: $(AUDIT_ENV)/.requirements ## licences and sources of the dependencies, the API since the last release; known faults with TENURE_AUDIT=all
	@scripts/audit .venv-tools/cargo $(AUDIT_ENV)/bin/python

clean: ## everything that was built or installed in the tree
	rm -rf $(TARGET) .venv .venv-* .pythons .cache .mypy_cache .ruff_cache python/.mypy_cache .pytest_cache python/.pytest_cache
