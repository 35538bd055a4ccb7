# The two commands to know: `make demo` and `make test`.
SHELL := /bin/bash
PREFIX ?= /usr/local
SWIFT_BUILD := swift build
APT_PACKAGES := make pkg-config zlib1g-dev libzstd-dev libhdf5-dev

.PHONY: setup test format lint

## setup: install the system libraries (Debian, Ubuntu)
setup:
	@missing=""; for package in $(APT_PACKAGES); do \
	  dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y $$missing; fi

## lint: check the formatting
lint:
	git ls-files -z '*.swift' | xargs -0 swift format lint --strict --parallel

## format: put every Swift file into the project's format
format:
	git ls-files -z '*.swift' | xargs -0 swift format format --parallel --in-place

## test: set up, lint, build with warnings as errors, run every test
test: setup lint
	swift test -c release -Xswiftc -enable-testing --parallel --enable-code-coverage
