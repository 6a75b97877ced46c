# Plumbline: everything a person or CI runs. 'make help' lists it.
# Needs Python 3.11 or 3.12 and make; the rest is built into .venv and PLUMBLINE_HOME.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

PLUMBLINE_HOME ?= .local
BIN := .venv/bin
PY := $(BIN)/python
STAMP := .venv/plumbline-requirements

# A word that nothing here reads is a slip (PEPLE=400): it would be passed over, and a whole night run on something else.
said := $(foreach word,$(.VARIABLES),$(if $(filter command,$(origin $(word))),$(word)))
unknown := $(strip $(foreach word,$(said),$(if $(findstring _,$(word)),,$(shell \
	grep -qE '[$$][(]$(word)[)]|^ifdef $(word)$$|^export( [A-Z]+)* $(word)( |$$)' Makefile || echo $(word)))))
ifneq ($(unknown),)
$(error not known: $(unknown:%=%=). See 'make help' for the words of each command; nothing was done)
endif

# The one environment of every target; include/local_stack/environment.py adds Airflow's for its own programs.
export PLUMBLINE_HOME
export PYTHONPATH := $(CURDIR)
export PYTHONUTF8 := 1
export SCARF_ANALYTICS := false
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED := false
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export GX_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
ifdef SOURCES
export PLUMBLINE_SOURCES := $(SOURCES)
endif
ifdef DAY
export PLUMBLINE_DAY := $(DAY)
endif
ifdef ROLE
export PLUMBLINE_PSQL_ROLE := $(ROLE)
endif
export STRICT PEOPLE SEED OLDER
export DBT_ARGS := $(ARGS)

# $(call need,WORDS,example): stop where one of the words was not given.
need = $(foreach word,$(1),$(if $($(word)),,$(error $(word)= is missing. For example: $(2))))

##@ Run

.PHONY: help
help: ## this list
	@awk -v wide="$${COLUMNS:-$$( (stty size </dev/tty) 2>/dev/null | cut -d' ' -f2)}" ' \
		BEGIN {FS = ":.*## "; if (wide < 60) wide = 100} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z][a-z-]*:.*## / {gsub(/\$$\$$/, "$$", $$2); line = sprintf("  make %-15s", $$1); n = split($$2, words, " "); \
			for (i = 1; i <= n; i++) { \
				if (length(line words[i]) + 1 >= wide) {print line; line = sprintf("%22s", "")} line = line " " words[i]} \
			print line}' Makefile
	@echo
	@echo "  PLUMBLINE_HOME=folder   where all local state lives (.local)"

.PHONY: nightly
nightly: $(STAMP) ## run the whole night once: SOURCES=sources.yml DAY=YYYY-MM-DD STRICT=1 OLDER=1 (default: a sample, PEOPLE=2000 SEED=20261)
	@$(PY) -m include.terminal nightly

.PHONY: up
up: $(STAMP) ## Airflow with its scheduler and UI on the embedded stack; runs the night at 02:00
	@$(PY) -m include.terminal up

.PHONY: listen
listen: $(STAMP) ## take HL7 v2 messages over MLLP for the sources that say 'listen: port': SOURCES=sources.yml
	@$(PY) -m include.live

.PHONY: watch
watch: $(STAMP) ## tell of critical results in live messages within seconds (beside 'make listen'; needs a webhook or mail): SOURCES=sources.yml
	@$(PY) -m include.critical watch

.PHONY: alerts
alerts: $(STAMP) ## open alerts with their age and escalations, what could not be judged, how long telling and answering take; no values
	@$(PY) -m include.critical list

.PHONY: alert
alert: $(STAMP) ## open an alert, which the audit trail keeps: ID=first-8 BY=you; ACK=1 takes it on by reading it back; CLOSE=treated ends it
	@: $(call need,ID BY,make alert ID=3f2a9b1c BY=you ACK=1)
ifdef CLOSE
	@$(PY) -m include.critical close "$(ID)" "$(CLOSE)" --by "$(BY)"
else
	@$(PY) -m include.critical show "$(ID)" --by "$(BY)" $(if $(ACK),--acknowledge)
endif

.PHONY: stop
stop: $(STAMP) ## stop Airflow, Postgres and S3; data stays
	@$(PY) -m include.terminal stop

.PHONY: stack
stack: $(STAMP) ## only Postgres and S3
	@$(PY) -m include.local_stack up

.PHONY: status
status: $(STAMP) ## what runs, and where
	@$(PY) -m include.terminal status

##@ Look

.PHONY: psql
psql: $(STAMP) ## the published marts in psql, as the analyst (ROLE=reader for results only)
	@$(PY) -m include.terminal psql

.PHONY: env
env: $(STAMP) ## 'export NAME=value' lines for a shell: eval "$$(make -s env)"
	@$(PY) -m include.terminal env

.PHONY: plan
plan: $(STAMP) ## what tiering would do on DAY=YYYY-MM-DD, why, at what cost; POLICY=file: what that policy would change; changes nothing
	@$(PY) -m include.lifecycle plan $(if $(DAY),--day $(DAY)) $(if $(POLICY),--policy "$(POLICY)")

.PHONY: docs
docs: $(STAMP) ## dbt's documentation of the marts, in a browser
	@$(PY) -m include.terminal docs

##@ Change

.PHONY: dbt
dbt: $(STAMP) ## dbt in a schema of your own, deferring to the last night: make dbt ARGS="build -s state:modified+"
	@$(PY) -m include.terminal dbt

.PHONY: dbt-diff
dbt-diff: $(STAMP) ## what your models change in the rows, against the last night
	@$(PY) -m include.terminal dbt-diff

.PHONY: sample
sample: $(STAMP) ## a sample health system with its answer key: OUT=folder PEOPLE=2000 SEED=20261
	@$(PY) -m include.sample make --out "$(or $(OUT),$(PLUMBLINE_HOME)/sample/own)" --people $(or $(PEOPLE),2000) --seed $(or $(SEED),20261)

.PHONY: equity
equity: $(STAMP) ## inequality: MEASURE=measure_id [DIMENSION=payer] prints, PAGE=out.html [SHAPES=areas.geojson] writes a page; or TABLE=groups.csv OUT=summary.csv
ifdef MEASURE
	@$(PY) -m include.reports measure "$(MEASURE)" $(if $(DIMENSION),--dimension "$(DIMENSION)")
else ifdef PAGE
	@$(PY) -m include.reports page "$(PAGE)" $(if $(SHAPES),--shapes "$(SHAPES)")
else
	@$(PY) -m include.equity table "$(or $(TABLE),groups.csv)" "$(or $(OUT),summary.csv)"
endif

.PHONY: anonymity
anonymity: $(STAMP) ## how well people are hidden in the row-level marts (k, l, t): DAY=YYYY-MM-DD, or the newest night
	@$(PY) -m include.reports anonymity

.PHONY: quarantine
quarantine: $(STAMP) ## what was refused; SOURCE=, RULE=, MOST=5 show where it stands and its shape, never a value
	@$(PY) -m include.quality show $(if $(SOURCE),--source $(SOURCE)) $(if $(RULE),--rule $(RULE)) $(if $(MOST),--most $(MOST)) \
		$(if $(BY),--by "$(BY)")

.PHONY: measures
measures: $(STAMP) ## the CMS measures on test decks, expected beside actual: DECK=folder OUT=results.csv (value sets: deck or PLUMBLINE_TERMINOLOGY)
	@$(PY) -m include.measures deck "$(or $(DECK),deck)" --out "$(or $(OUT),measures.csv)"

.PHONY: deidentify
deidentify: $(STAMP) ## notes without identifiers: IN=notes.jsonl OUT=out.jsonl, SURROGATES=1, PROFILE=expert_determination
	@: $(call need,IN OUT,make deidentify IN=notes.jsonl OUT=out.jsonl)
	@$(PY) -m include.privacy.text "$(IN)" "$(OUT)" $(if $(SURROGATES),--surrogates) $(if $(PROFILE),--profile $(PROFILE))

.PHONY: deidentify-score
deidentify-score: $(STAMP) ## recall and precision by class on annotated notes: DECK=file or folder [MISSES=file]; formats: include/privacy/text/annotated.py
	@$(PY) -m include.privacy.text.score "$(or $(DECK),notes)" $(if $(MISSES),--misses "$(MISSES)")

.PHONY: replay
replay: $(STAMP) ## open refused records or held-back batches again: SOURCE= or BATCH=, RULE=, REASON=, BY=; shows only, DO=1 does it
	@: $(if $(SOURCE)$(BATCH),,$(error SOURCE= or BATCH= is missing; 'make quarantine' lists them)) \
		$(call need,REASON BY,make replay SOURCE=south RULE=code_missing REASON="contract maps local codes" BY=you)
	@$(PY) -m include.quality replay $(if $(SOURCE),--source $(SOURCE)) $(if $(BATCH),--batch $(BATCH)) $(if $(RULE),--rule $(RULE)) \
		--reason "$(REASON)" --by "$(BY)" $(if $(DO),--do)

.PHONY: check
check: $(STAMP) ## the whole catalogue of checks on a folder, loading nothing anywhere: SOURCE=folder, sources.yml[:name], or with its KIND a server or database [KIND=] [CONTRACT=] [SET="word=value; word=value"] [OUT=result.json] [DAY=]
	@: $(call need,SOURCE,make check SOURCE=exports/north OUT=result.json)
	@$(PY) -m include.local_stack up >/dev/null
	@$(PY) -m include.quality check --source "$(SOURCE)" $(if $(KIND),--kind $(KIND)) $(if $(CONTRACT),--contract "$(CONTRACT)") \
		$(if $(SET),--set "$(SET)") $(if $(OUT),--out "$(OUT)") $(if $(DAY),--night $(DAY))

.PHONY: checks
checks: $(STAMP) ## every check there is, with its threshold and its place in Kahn's framework
	@$(PY) -m include.quality list

.PHONY: rejudge
rejudge: $(STAMP) ## judge a night's results again under the thresholds of today, without scanning: DAY=YYYY-MM-DD
	@: $(call need,DAY,make rejudge DAY=2026-11-22)
	@$(PY) -m include.quality rejudge --night "$(DAY)"

.PHONY: api
api: $(STAMP) ## serve what is published as FHIR R4, with population-health and equity tables: PORT=8410, on loopback
	@$(PY) -m include.api serve --port "$(or $(PORT),8410)"

.PHONY: api-key
api-key: $(STAMP) ## a key for a client of the API, shown once: NAME="equity dashboard" AUDIENCE=reader|analyst|clinician
	@: $(call need,NAME,make api-key NAME="equity dashboard")
	@$(PY) -m include.api key "$(NAME)" --audience "$(or $(AUDIENCE),reader)"

.PHONY: metrics
metrics: $(STAMP) ## serve the last night's metrics for Prometheus until stopped: PORT=9464, on loopback (ADDRESS=0.0.0.0 for all)
	@$(PY) -m include.quality metrics --port "$(or $(PORT),9464)" --address "$(or $(ADDRESS),127.0.0.1)"

.PHONY: convert
convert: $(STAMP) ## what a source would load, as files, touching no database: KIND=hl7v2 IN=path OUT=folder CONTRACT= TIMEZONE= SET=word=value
	@$(PY) -m include.sources.convert --kind "$(KIND)" --in "$(IN)" --out "$(OUT)" $(if $(CONTRACT),--contract "$(CONTRACT)") \
		$(if $(TIMEZONE),--timezone "$(TIMEZONE)") $(if $(SOURCE),--source "$(SOURCE)") $(if $(SET),--set "$(SET)")

.PHONY: contract
contract: $(STAMP) ## a draft of a contract from CSV files, what is not surely clinical sealed, no cell quoted: IN=folder [OUT=contract.yml]
	@: $(call need,IN,make contract IN=extracts/south OUT=south.yml)
	@$(PY) -m include.sources.draft --in "$(IN)" $(if $(OUT),--out "$(OUT)")

##@ Keep

.PHONY: access-review
access-review: $(STAMP) ## who can read what, when they last acted, and what nobody used for 90 days
	@$(PY) -m include.audit access

.PHONY: backup
backup: $(STAMP) ## save the databases and the keys now, proven; 'python -m include.backups status' lists what there is
	@$(PY) -m include.backups now $(if $(DAY),--day $(DAY))

.PHONY: restore-drill
restore-drill: $(STAMP) ## restore the newest backups into a scratch server, check them, say how long it takes and what is lost
	@$(PY) -m include.backups drill $(if $(DAY),--day $(DAY))

.PHONY: erase
erase: $(STAMP) ## what erasing a person would reach: PERSON=token REASON= BY= AND=second; DO=1 erases for good and builds the marts anew
	@: $(call need,PERSON REASON BY AND,make erase PERSON=token REASON="asked by letter" BY=you AND=second; token: python -m include.lifecycle token --source north)
	@$(PY) -m include.lifecycle erase $(PERSON) --reason "$(REASON)" --requested-by "$(BY)" --approved-by "$(AND)" $(if $(DO),--do)

##@ Check

.PHONY: test
test: $(STAMP) ## everything that must hold, in under 30 minutes on 2 cores
	@$(PY) -m pytest -n 2 --dist loadfile -m "not slow" $(ARGS)

.PHONY: lint
lint: $(STAMP) ## ruff: style, traps, SQL composed and never formatted
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

.PHONY: format
format: $(STAMP) ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format .

.PHONY: kill-test
kill-test: $(STAMP) ## kill nights at many random moments and compare with an undisturbed one (long)
	@$(PY) -m pytest -m slow -k "kill and not lifecycle" -q $(ARGS)

.PHONY: kill-test-lifecycle
kill-test-lifecycle: $(STAMP) ## kill tiering, erasure, new keys and backups, their Postgres and their store, N=200 times (long; SEED=)
	@PLUMBLINE_KILLS=$(or $(N),200) PLUMBLINE_KILL_SEED=$(or $(SEED),1) $(PY) -m pytest -m slow tests/journey/test_killed_lifecycle.py -q -s $(ARGS)

.PHONY: fuzz
fuzz: $(STAMP) ## hostile input to every parser for minutes: each read or refused, no crash, no hang, no memory growth (FUZZ_SECONDS=90 each, FUZZ_SEED=)
	@$(PY) -m pytest -m slow -k fuzz -v $(ARGS)

.PHONY: fuzz-dicom
fuzz-dicom: $(STAMP) ## damaged DICOM files for minutes: each read or refused, no crash, no hang, no memory growth (long)
	@$(PY) -m pytest -m slow tests/unit/test_sources_dicom.py -q $(ARGS)

.PHONY: arrival-test
arrival-test: $(STAMP) ## three days of every kind, in every order of arrival, end in the same marts (long)
	@$(PY) -m pytest -m slow tests/dbt/test_arrival_order.py -q $(ARGS)

.PHONY: seeds
seeds: $(STAMP) ## do the intervals hold the planted disparities as often as they claim, over 200 samples?
	@$(PY) -m include.sample coverage --seeds 200 --people $(or $(PEOPLE),2000)

.PHONY: score
score: $(STAMP) ## what the night on the sample found of what was planted: SAMPLE=folder DAY=YYYY-MM-DD
	@$(PY) -m include.sample score --sample "$(or $(SAMPLE),$(PLUMBLINE_HOME)/sample/$(or $(PEOPLE),2000)-people-seed-$(or $(SEED),20261))" \
		--night $(or $(DAY),$$(date +%F))

.PHONY: coverage-test
coverage-test: $(STAMP) ## how often intervals hold the truth, by simulation (long)
	@$(PY) -m pytest -m slow tests/unit/test_equity_coverage.py -q -s $(ARGS)

.PHONY: bench
bench: $(STAMP) ## the benchmarks, as ratios measured in one run
	@$(PY) -m bench $(ARGS)

##@ Set up

.PHONY: install
install: $(STAMP) ## only build .venv

.PHONY: compose-secrets
compose-secrets: $(STAMP) ## make the secret files that docker-compose.yml mounts, once
	@$(PY) -m include.local_stack compose-secrets

.PHONY: requirements
requirements: $(BIN)/uv ## resolve requirements.in anew, with hashes
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make requirements" -q requirements.in -o requirements.txt

.PHONY: clean
clean: ## delete the local stack with all its data, secrets and keys (asks first; YES=1 does not)
	@if [ ! -e "$(PLUMBLINE_HOME)/home.json" ]; then echo "no Plumbline home in $(PLUMBLINE_HOME)"; exit 0; fi; \
	if [ "$(YES)" != 1 ]; then printf 'Delete everything in %s? Type yes: ' "$(PLUMBLINE_HOME)"; read answer; \
	[ "$$answer" = yes ] || { echo "left as it is"; exit 1; }; fi; \
	$(PY) -m include.terminal stop && $(PY) -m include.local_stack destroy && echo "deleted $(PLUMBLINE_HOME)"

# A python3.11 on the path may be a shim that only says which versions it lacks: ask each to really run.
$(BIN)/uv:
	@found=; for name in $(PYTHON) python3.12 python3.11 python3 python; do \
		if "$$name" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' >/dev/null 2>&1; \
		then found="$$name"; break; fi; done; \
	if [ -z "$$found" ]; then \
		echo "No Python 3.11 or 3.12 with venv was found. Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; fi; \
	echo "building .venv with $$found ($$($$found -V 2>&1))"; \
	"$$found" -m venv .venv && $(PY) -m pip install -q --disable-pip-version-check \
		"$$(sed -n 's/^\(uv==[^ ;]*\).*/\1/p' requirements.txt)" >&2
	@touch $@

$(STAMP): requirements.txt $(BIN)/uv
	@echo "installing the packages of requirements.txt (about 2 GB, once)"
	@(seconds=0; while sleep 15 >/dev/null 2>&1; do seconds=$$((seconds + 15)); echo "  still at it, $$seconds s"; done) & ticking=$$!; \
		$(BIN)/uv pip install -q --python $(PY) --require-hashes -r requirements.txt; ended=$$?; \
		kill $$ticking 2>/dev/null; exit $$ended
	@touch $@
