# make lab and make test need only Python 3.11+, pip and make; both create .venv when it is missing.
PYTHON ?= python3
VENV ?= .venv
LAB_ARGS ?=
APP_ARGS ?=
RACE_ARGS ?=
# make lab CPU=1: PyTorch's own builds without CUDA, 1.5 GB in place of 6.3, from the index that its installation page names.
CPU ?=
CPU_INDEX ?= https://download.pytorch.org/whl/cpu
ONLY ?=
DATA ?=
FROM ?=
STUDENTS ?=
PUBLISHED_ARGS ?=
TEXT ?=
# The notebooks with outputs to compare; all of them run headlessly, with other parameters, in tests/pages/test_notebooks.py.
NBVAL = $(shell grep -l nbval-check-output notebooks/*.ipynb)
BIN := $(VENV)/bin
BROWSERS := chromium chromium-browser google-chrome
# One thread a process: the tests run processes side by side. A text file opened without its encoding is an error.
# What is compiled is kept also where the shell says otherwise: tests start a hundred processes that would compile it again.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
PYTEST := $(ONE_THREAD) PYTHONWARNDEFAULTENCODING=1 PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -q
# All tests: a third process works while two wait for a kernel or a browser, where there is memory for it (2 to 3 GB each).
WORKERS ?= $(or $(shell awk '/MemAvailable/ {print ($$2 > 12e6) ? 3 : 2}' /proc/meminfo 2> /dev/null),2)
# In a container one is root, and JupyterLab may run as root there; elsewhere it asks for LAB_ARGS=--allow-root.
CONTAINER = $(or $(container),$(wildcard /.dockerenv /run/.containerenv),$(KUBERNETES_SERVICE_HOST))
AS_ROOT = $(if $(CONTAINER),$(if $(filter 0,$(shell id -u)),--allow-root))

.PHONY: help lab app test check lint processors notebooks site course collect grades record methods published forgetting bench race hooks constraints clean
.DEFAULT_GOAL := help

help:  ## what can be made
	@sed -n 's/^\([a-z]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | expand -t 14

lab: $(VENV)/.lab  ## open JupyterLab on notebook 00 (LAB_ARGS="--no-browser --port 8890" to change how)
	@$(BIN)/jupyter lab $(AS_ROOT) $(LAB_ARGS) notebooks/00_start_here.ipynb

app: $(VENV)/.lab  ## the playground as a page without code (APP_ARGS="--no-browser --port 8890" to change how)
	@$(BIN)/python -m notebooks.tools.app $(APP_ARGS)

hooks:  ## before each commit: ruff, mypy, and whether the notebooks are what their sources say
	@mkdir -p "$$(git rev-parse --git-path hooks)"
	@printf '#!/bin/sh\nset -e\nmake -s lint\n%s -q tests/pages/test_notebooks.py tests/pages/test_exercises.py -k "%s"\n' \
		$(BIN)/pytest "committed_notebook_is_the_source or solutions_that_are_committed" > "$$(git rev-parse --git-path hooks)/pre-commit"
	@chmod +x "$$(git rev-parse --git-path hooks)/pre-commit"
	@echo "Each commit is checked now; git commit --no-verify does without, and deleting .git/hooks/pre-commit ends it."

check: lint  ## after each change: lint and the fast tests, in under a minute
	@$(PYTEST) -n 2 --dist worksteal -p no:nbval -m "not slow" tests

test: lint  ## run every test: code, notebooks, widgets, browser, claims (ONLY=06 or ONLY="sweeps or site": those whose names hold it)
	@$(PYTEST) -n $(WORKERS) --dist loadfile --no-loadscope-reorder --nbval-lax --nbval-current-env --durations 10 $(if $(ONLY),-k "$(ONLY)") tests $(NBVAL)

processors: $(VENV)/.test  ## what depends on rounding, as other processors compute it, with one thread and with two
	@$(BIN)/python tests/processors.py

lint: $(VENV)/.test  ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

notebooks: $(VENV)/.test  ## build and execute the notebooks from notebooks/source (ONLY=06 for one; TEXT=1: words only, nothing runs)
	@$(BIN)/python -m notebooks.tools.build $(if $(TEXT),--text) $(ONLY)

record: $(VENV)/.test  ## run the grid that the playground's sliders answer from (about 6 minutes; goes on where it was)
	@$(ONE_THREAD) $(BIN)/python -m notebooks.tools.record

methods: $(VENV)/.test  ## compare all methods and baselines on the same runs (about an hour; goes on where it was)
	@$(ONE_THREAD) $(BIN)/python -m notebooks.tools.compare

published: $(VENV)/.test  ## the published tasks, every baseline and method (hours; goes on where it was; DATA=FOLDER: the images in it, in place of downloads)
	@$(ONE_THREAD) $(BIN)/python -m notebooks.tools.published --data "$(DATA)" $(PUBLISHED_ARGS)

forgetting: $(VENV)/.test  ## the painted images of "watch it forget" (a few minutes; DATA=FOLDER: those of real images too)
	@$(ONE_THREAD) $(BIN)/python -m notebooks.tools.forgetting --data "$(DATA)"

site: $(VENV)/.test  ## the notebooks as a website that needs no server and no network: build/site/index.html
	@$(BIN)/python -m notebooks.tools.site

course: $(VENV)/.test  ## an nbgrader course from notebooks 01 to 04: build/course (see notebooks/teaching.md)
	@$(BIN)/python -m notebooks.tools.course

collect: $(VENV)/.test  ## sort into the course what a class handed in (FROM=FOLDER or ZIP of Moodle, Canvas or anybody; STUDENTS=LIST.csv)
	@$(BIN)/python -m notebooks.tools.collect "$(FROM)" $(if $(STUDENTS),--students "$(STUDENTS)")

grades: $(VENV)/.test  ## the course's points as tables for Moodle and Canvas: build/course/grades
	@$(BIN)/python -m notebooks.tools.collect_grades

bench: $(VENV)/.test  ## measure speed ratios side by side
	@$(BIN)/pytest -q -o addopts= --continue-on-collection-errors --bench-size full tests/bench \
		--benchmark-disable-gc --benchmark-columns=min,median,rounds

race: $(VENV)/.race  ## the same curves trained here, in a plain loop, in skada, in pytorch-adapt (RACE_ARGS="--help")
	@$(BIN)/python tests/race/race.py --peers $(VENV)/race $(RACE_ARGS)

constraints: $(VENV)/.test  ## write the versions installed now to constraints.txt
	@(head -1 constraints.txt; $(BIN)/pip freeze --all --exclude-editable | grep -viE '^(nvidia|cuda|triton|pip=)|@' | sed 's/+.*//') \
		> constraints.tmp
	@mv constraints.tmp constraints.txt
	@$(BIN)/pytest -q tests/test_versions.py

.PHONY: versions
versions: $(VENV)/.test  ## the fast tests with the lowest and the newest versions and on other Pythons (VERSIONS_ARGS="--help")
	@$(ONE_THREAD) $(BIN)/python tests/try_versions.py $(VERSIONS_ARGS)

clean:  ## remove .venv and caches
	@rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info

$(VENV)/.lab: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(if $(CPU),$(BIN)/pip install --no-deps --index-url $(CPU_INDEX) -c constraints.txt torch torchvision)
	$(BIN)/pip install -c constraints.txt -e '.[lab]'
	@touch $@

$(VENV)/.test: $(VENV)/.lab
	$(BIN)/pip install -c constraints.txt -e '.[lab,teach,test]'
	@for b in $(BROWSERS); do command -v $$b > /dev/null && exit 0; done; \
		echo "No browser is there: Chromium is downloaded for the tests (about 200 MB)."; \
		$(BIN)/playwright install chromium > $(VENV)/browser.log 2>&1 \
		|| echo "It could not be downloaded ($(VENV)/browser.log says why): the tests run without a browser."
	@touch $@

# Whom we race against: beside the environment, which stays as the tests want it. Who cannot be installed is left out of the race.
$(VENV)/.race: tests/race/peers.txt $(VENV)/.test
	@rm -rf $(VENV)/race
	$(BIN)/pip install --no-deps --target $(VENV)/race -r tests/race/peers.txt && touch $@ \
		|| echo "pytorch-adapt could not be installed: the race goes on without."
