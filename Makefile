# Every target does all its set-up in .venv; it needs only python3 with venv, a C compiler and make.
# The package is installed editable: after a change of its source the next import rebuilds what changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A virtual environment of another Python version is made anew.
PYTHON_TAG := $(shell $(PYTHON) -c 'import sys; print(sys.implementation.cache_tag)')

# As in an activated environment, for tools that call other tools.
ACTIVATED := PATH="$(CURDIR)/$(BIN):$$PATH"

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test lint docs package bench bench-compare sanitize portable ci-full clean
.NOTPARALLEL:

help:
	@echo 'make demo            run the example on the diamonds table'
	@echo 'make test            run the tests             (ARGS="-k sparse -x" goes to pytest; -n 0: in one process)'
	@echo 'make lint            check style and types'
	@echo 'make docs            build the documentation site'
	@echo 'make package         build and check the source distribution and the wheel, in dist'
	@echo 'make bench           print the benchmark       (QUICK=1: under three minutes)'
	@echo 'make bench-compare   is the hot path slower than at another revision? (REV=main)'
	@echo 'make sanitize        run the fuzzer and some tests with AddressSanitizer and UndefinedBehaviorSanitizer (gcc, Linux)'
	@echo 'make portable        run the C files as compiled by clang, with musl, for arm64 (emulated) and for i386 (Debian, Ubuntu)'
	@echo 'make ci-full         check what takes too long for .ci/run: make portable, and the sanitizers with all tests'
	@echo 'make clean           remove .venv and everything else that was made'
	@echo 'PYTHON=python3.12 after any of them chooses the Python (3.11 or newer).'

demo: $(VENV)/.with-examples
	$(BIN)/python examples/plot_diamonds.py

# The first import compiles what has changed, before several processes import at once. All tests of a file run in one
# process, which shares between them a cluster, exact solutions and data sets.
test: $(VENV)/.with-test,deploy,dask
	$(BIN)/python -c 'import sklearn_rmsprop'
	$(BIN)/pytest --numprocesses auto --dist loadfile $(ARGS)

lint: $(VENV)/.with-lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(ACTIVATED) cython-lint sklearn_rmsprop
	$(BIN)/mypy
	$(BIN)/basedpyright --project pyproject.toml --level error --pythonpath $(BIN)/python
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

# Warnings are errors. Examples that have not changed since the last build are not run again. Then a browser, if there is
# one, opens every page.
docs: $(VENV)/.with-docs
	@echo 'Building the site; the examples take a few minutes.'
	$(ACTIVATED) sphinx-build --quiet --fail-on-warning --jobs auto -d docs/_build/doctrees docs docs/_build/html
	$(BIN)/python docs/open_pages.py docs/_build/html
	@echo 'Open docs/_build/html/index.html'

package:
	PYTHON=$(PYTHON) .ci/package dist

bench: $(VENV)/.with-examples
	$(BIN)/python benchmarks/run.py --output build/benchmark $(if $(QUICK),--quick) $(ARGS)

# Fails when an epoch takes 15 % longer than at REV.
bench-compare: $(VENV)/.with-examples
	@test -n "$(REV)" || { echo 'Which revision? make bench-compare REV=main' >&2; exit 2; }
	$(BIN)/python benchmarks/compare.py $(REV) $(ARGS)

# The fuzzer and the tests run at the same time. With the build this takes up to two minutes on two idle cores.
sanitize: $(VENV)/.with-test,deploy,dask
	.ci/sanitize 30 tests/test_invariants.py tests/test_statistics.py tests/test_shuffle.py -k 'not rows_are_short and not degenerate' $(ARGS)

portable:
	.ci/portable

# All tests except those that do not run compiled code, and those that measure time or memory.
ci-full: portable $(VENV)/.with-test,deploy,dask
	.ci/sanitize 300 tests sklearn_rmsprop --ignore=tests/test_benchmarks.py --ignore=tests/test_displays.py \
	    --ignore=tests/test_documentation.py --ignore=tests/test_oracles.py --ignore=tests/test_project.py $(ARGS)

clean:
	rm -rf $(VENV) build dist diamonds.png .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf docs/_build docs/gallery docs/generated examples/*.png
	find benchmarks docs examples sklearn_rmsprop tests -name __pycache__ -prune -exec rm -r {} +

$(VENV)/.python-$(PYTHON_TAG):
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# An editable package is rebuilt with the tools beside it, so these are installed first and named by their full paths
# (what is on the PATH at the time of an import is anybody's guess). The build folder remembers them, so it lies in .venv.
$(VENV)/.with-%: $(VENV)/.python-$(PYTHON_TAG) pyproject.toml
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' > $(VENV)/build-requires.txt
	$(BIN)/pip install --quiet --requirement $(VENV)/build-requires.txt ninja
	$(ACTIVATED) CYTHON="$(CURDIR)/$(BIN)/cython" \
	$(BIN)/pip install --quiet --no-build-isolation --config-settings=build-dir=$(VENV)/build --editable '.[$*]'
	@touch $@
