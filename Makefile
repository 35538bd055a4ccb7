# The two commands to know: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
PREFIX ?= /usr/local
APT_PACKAGES := make pkg-config zlib1g-dev libzstd-dev libhdf5-dev libdnnl-dev libpng-dev
WT := .build/release/wt
VENV := .build/venv
# Tests run optimised, as what they test is shipped, and still see internals.
TEST_FLAGS := -c release -Xswiftc -enable-testing
SOAK_SETS ?= 10000
SOAK_FILES ?= 10000
SOAK_LIES ?= 100000
SOAK_KILLS ?= 200
FUZZ_SECONDS ?= 20

.PHONY: help setup build demo lint format test coverage example install interop soak fuzz
.PHONY: bench bench-export bench-surgery
.PHONY: compare compare-training compare-targets compare-savings compare-scaling

## help: list the targets
help:
	@sed -n 's/^## /  /p' Makefile

## setup: install the system libraries (Debian, Ubuntu); needs Swift 6.2 or newer
setup:
	@command -v swift >/dev/null || { echo "Swift is missing: https://www.swift.org/install" >&2; exit 1; }
	@missing=""; for package in $(APT_PACKAGES); do \
	  dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y $$missing; fi

## build: build the release program, .build/release/wt
build: setup
	# With Swift's libraries in it the program starts faster and runs where there is no Swift.
	swift build -c release --product wt --static-swift-stdlib

## demo: build, then run the main job on a checkpoint that ships with the repository
demo: build
	@tools/demo.sh $(WT)

## example: from a real scan to a segmenter of brains and its report, in a few minutes
example: build
	examples/brain-mask/run.sh .build/brain-mask

## lint: check the formatting
lint:
	git ls-files -z '*.swift' | xargs -0 swift format lint --strict --parallel

## format: put every Swift file into the project's format
format:
	git ls-files -z '*.swift' | xargs -0 swift format format --parallel --in-place

## test: set up, lint, build with warnings as errors, run every test, print the coverage
test: setup lint
	swift test $(TEST_FLAGS) --enable-code-coverage
	@tools/coverage.sh Sources/Formats 90

## bench: time every kernel, a forward pass of ViT-B, and import of a file laid out as SAM ViT-H
bench: build $(VENV)
	$(WT) bench
	@status=0; for part in "compare.py --rounds 1" import_vit_h.py; do \
	  $(VENV)/bin/python Benchmarks/$$part --wt $(WT) || status=$$?; \
	done; exit $$status

## bench-export: measure export against torch.save, safetensors and h5py on the same file
bench-export: build $(VENV)
	$(VENV)/bin/python Benchmarks/export_vit_h.py --wt $(WT)

## bench-surgery: measure adapt and merge-fact against import on the same file
bench-surgery: build $(VENV)
	$(VENV)/bin/python Benchmarks/surgery_vit_h.py --wt $(WT)

## compare: time a forward pass of MA-SAM ViT-B against PyTorch's
compare: build $(VENV)
	$(VENV)/bin/python Benchmarks/compare.py --wt $(WT)

## compare-training: time a training step of MA-SAM ViT-B against PyTorch's
compare-training: build $(VENV)
	$(VENV)/bin/python Benchmarks/compare_training.py --wt $(WT)

## compare-targets: every row of the table of targets in one run, which takes more than an hour
compare-targets: build $(VENV)
	$(VENV)/bin/python Benchmarks/compare.py --wt $(WT) --rounds 3 --targets

## compare-savings: what wt saves, piece by piece, against PyTorch's way
compare-savings: build $(VENV)
	$(VENV)/bin/python Benchmarks/savings.py --wt $(WT)

## compare-scaling: one thread against all, and a training step with the loader against one without
compare-scaling: build $(VENV)
	$(VENV)/bin/python Benchmarks/scaling.py --wt $(WT)

## interop: read what wt writes with PyTorch and its kin, and compute what they compute
interop: build $(VENV)
	$(VENV)/bin/python tools/reference/interop.py $(WT)
	$(VENV)/bin/python tools/reference/check_runtime.py $(WT)
	$(VENV)/bin/python tools/reference/check_volumes.py $(WT)

## soak: SOAK_SETS round trips; SOAK_FILES damaged and SOAK_LIES forged files of each recorded HDF5;
##       SOAK_KILLS trainers killed
soak: setup
	WT_SOAK_SETS=$(SOAK_SETS) WT_SOAK_FILES=$(SOAK_FILES) WT_SOAK_LIES=$(SOAK_LIES) \
	  WT_SOAK_KILLS=$(SOAK_KILLS) \
	  swift test $(TEST_FLAGS) --filter 'RoundTripTests|HDF5DamageTests|FieldLieTests|TrainCommandTests'

## fuzz: run every parser FUZZ_SECONDS (20) seconds under libFuzzer and the address sanitiser
fuzz: setup
	# Dead code stays: without it the linker separates the counters of coverage from what counts.
	# The compiler minds the last -sanitize only, and SwiftPM hands over its two in any order.
	swift build --package-path Fuzz -c release --sanitize=fuzzer --sanitize=address \
	  -Xswiftc -sanitize=fuzzer,address -Xswiftc -enable-testing --disable-dead-strip
	tools/fuzz.sh $(FUZZ_SECONDS)

## install: put wt and its completions below PREFIX (/usr/local)
install: build
	install -D -m 755 $(WT) $(DESTDIR)$(PREFIX)/bin/wt
	@mkdir -p $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	  $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(WT) --generate-completion-script bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/wt
	$(WT) --generate-completion-script zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_wt
	$(WT) --generate-completion-script fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/wt.fish

$(VENV): tools/reference/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q -r tools/reference/requirements.txt
	@touch $(VENV)
