# Needs Python 3.10 or newer with venv and pip, and make; everything else goes into .venv. Try:  make
#
#   make install PYTHON=python3.12      another interpreter
#   make install PIP_FLAGS=             pip's full output (or any other pip option, such as an index of your own)
#   make demo ARGS=--help               options for the command behind a target

PYTHON ?= python3
PIP_FLAGS ?= -qq
ARGS ?=

# Paths are relative: the folder may have a space in its name. Tools are run as modules, because the scripts in
# .venv/bin carry an absolute path.
PY := .venv/bin/python
STAMP := .venv/.installed
CODE = $(wildcard kit tests notebooks)

# What the caller's shell has set up for other projects stays out.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX
export PYTHONNOUSERSITE := 1

# The pip section of environment.yml, without its comments. Plain sed, since nothing is installed yet.
REQUIREMENTS = sed -e '1,/^ *- pip: *$$/d' -e 's/ *\#.*//' -e '/^ *- /!d' -e 's/^ *- //' environment.yml
# What an installation depends on. Contents, not dates: a checkout touches dates. The folder counts as well,
# because the kit is installed editable, by its absolute path.
STATE = { pwd; cat environment.yml pyproject.toml; }
USABLE = $(PY) -c 'import pip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null

.PHONY: help install demo study test quick lint bench-gpu lab clean distclean requirements

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1            \2/p' Makefile | sed 's/^\(.\{18\}\) */\1/'

install: ## create .venv and install everything into it (two minutes; again only after a change)
	@if $(STATE) | cmp -s - $(STAMP) && $(USABLE); then exit 0; fi; \
	set -e; \
	rm -f $(STAMP); \
	if ! $(USABLE); then \
	    "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
	        { echo 'Python 3.10 or newer is needed, and "$(PYTHON)" is not: try  make install PYTHON=python3.12' >&2; exit 1; }; \
	    "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
	        { echo '"$(PYTHON)" lacks its venv module: on Debian and Ubuntu,  sudo apt install python3-venv' >&2; exit 1; }; \
	    echo 'install: creating .venv'; \
	    "$(PYTHON)" -m venv --clear .venv; \
	fi; \
	$(REQUIREMENTS) > .venv/requirements.txt; \
	echo 'install: packages (0.3 GB for a CPU build of torch, about 3 GB for a CUDA build)'; \
	$(PY) -m pip install $(PIP_FLAGS) 'pip>=22' -r .venv/requirements.txt || \
	    { echo 'install: failed; more is said by  make install PIP_FLAGS=' >&2; exit 1; }; \
	$(STATE) > $(STAMP).part; \
	mv $(STAMP).part $(STAMP); \
	echo 'install: done'

demo: install ## the guided tour, on a CPU, without downloads
	@$(PY) -m kit demo $(ARGS)

study: install ## what methods are worth over seeds, on drawn scenes, or on CamVid: make study DATA=FOLDER
	@$(PY) -m kit study $(if $(DATA),--data '$(DATA)') $(ARGS)

test: lint ## ruff and pytest (7 to 17 minutes on two cores)
	@echo 'test: pytest'
	@$(PY) -m pytest -n 3 --dist worksteal $(ARGS)

quick: lint ## ruff and the fast tests (a minute and a half on two cores)
	@echo 'quick: pytest'
	@$(PY) -m pytest -n 2 --dist worksteal -m quick $(ARGS)

lint: install ## ruff only
	@echo 'lint: ruff'
	@$(PY) -m ruff check --quiet $(CODE)
	@$(PY) -m ruff format --check --quiet $(CODE) || { echo 'lint: run  .venv/bin/python -m ruff format' >&2; exit 1; }

# Installs nothing: a machine with a GPU may have no network, and its own Python what is needed.
bench-gpu: ## ten minutes on one GPU: steps, latency, loader, kill and resume, device tests; without .venv, by PYTHON
	@if [ -x $(PY) ]; then exec $(PY) -m kit bench gpu $(ARGS); fi; \
	exec env -u PYTHONNOUSERSITE PYTHONPATH='$(PYTHONPATH)' "$(PYTHON)" -m kit bench gpu $(ARGS)

lab: install ## JupyterLab
	@$(PY) -m jupyterlab $(ARGS)

clean: ## delete .venv and caches; data/ and runs/ stay
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache
	find $(CODE) -depth \( -name __pycache__ -o -name .ipynb_checkpoints \) -exec rm -rf {} \;

distclean: clean ## clean, and delete data/ and runs/ too
	rm -rf data runs

requirements: # the pins as pip wants them, for other installers
	@$(REQUIREMENTS)
