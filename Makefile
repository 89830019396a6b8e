# Two commands for a fresh machine: `make demo` shows the main job, `make test` proves it.
# Everything they need is in requirements.lock (hashes, no host names) and lands in .venv.
PYTHON ?= python3
BIN     = .venv/bin
READY   = .venv/.ready

.PHONY: demo test lint bench chaos lock clean

demo: $(READY)
	@$(BIN)/treuepost demo demo-shop --fresh

test: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.everything

lint: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.everything --lint

bench: $(READY)
	@$(BIN)/python -m bench

chaos: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.chaos

lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header \
	  --all-extras --group dev pyproject.toml -o requirements.lock

$(READY): requirements.lock pyproject.toml
	@echo "Setting up .venv (once; about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf .venv demo-shop
