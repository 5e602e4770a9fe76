# The front door. Every target installs the Debian packages that it needs and that are missing.
# The work is in tools/; CMake and Ninja build.
SHELL := /bin/bash
.DEFAULT_GOAL := build
BUILD ?= build
PREFIX ?= /usr/local
FUZZ_S ?= 120
SOAK_S ?= 600

.PHONY: build
build: ## build the program and the library into build/ (Release)
	@tools/install-deps build
	@cmake -S . -B $(BUILD) -G Ninja $(if $(wildcard $(BUILD)/CMakeCache.txt),,-DCMAKE_BUILD_TYPE=Release) >$(if $(V),/dev/stdout,/dev/null)
	@ninja -C $(BUILD) programs

.PHONY: demo
demo: build ## check, discover and sync the lake of examples/, twice, and show the rows
	@examples/demo.sh

.PHONY: test
test: ## run all tests; T=PATTERN only those whose name matches
	@tools/install-deps build test
	@tools/run-tests $(if $(T),'$(T)')

.PHONY: tsan
tsan: ## run the tests of the threaded folders under ThreadSanitizer; T=PATTERN any others
	@tools/install-deps build test
	@tools/run-tests --only tsan $(if $(T),'$(T)')

.PHONY: lint
lint: ## format, strict builds, headers, layers, style, shell and Python
	@tools/install-deps build test lint
	@tools/lint

.PHONY: bench
bench: ## measure headrace beside its peers; W=csv2pq one work, HEADRACE_BENCH_SF=0.1 less data
	@tools/install-deps build bench
	@tools/run-bench $(W)

.PHONY: bench-micro
bench-micro: ## measure each stage beside its floor; W=csv only programs whose name matches
	@tools/install-deps build
	@tools/run-bench-micro $(W)

.PHONY: fuzz
fuzz: ## fuzz every parser for FUZZ_S=120 seconds; W=csv only targets whose name matches
	@tools/install-deps build fuzz
	@FUZZ_S=$(FUZZ_S) tools/run-fuzz $(W)

.PHONY: soak
soak: ## random lakes, faults and kills for SOAK_S=600 seconds, results compared with oracles
	@tools/install-deps build test
	@SOAK_S=$(SOAK_S) tools/run-soak

.PHONY: coverage
coverage: ## line coverage of the C tests, by folder
	@tools/install-deps build test
	@tools/run-coverage

.PHONY: fresh-machine
fresh-machine: ## make demo and make test in a bare Debian 12 (root only)
	@tools/install-deps fresh
	@tools/fresh-machine

.PHONY: install
install: build ## install the program, the library and its headers below PREFIX=/usr/local
	@cmake --install $(BUILD) --prefix $(PREFIX)

.PHONY: clean
clean: ## remove everything that was built, keep the caches in the home folder
	rm -rf build build-* .venv .venv-* .cache .demo

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'
