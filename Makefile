# The front door for developers; `make help` lists the targets.
PYTHON ?= python3
OPENMP = -fopenmp
RUN =
comma := ,
MACHINE := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
BUILD := build/c/$(notdir $(firstword $(CC)))-$(MACHINE)

CFLAGS_COMMON := -std=gnu11 -ffp-contract=fast -Wall -Wextra -Wshadow -Wconversion
FLAGS_sse2 := -msse2
FLAGS_avx2 := -mavx2 -mfma
FLAGS_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma
ISAS := scalar $(if $(filter x86_64,$(MACHINE)),sse2 avx2 avx512) $(if $(filter aarch64 arm64,$(MACHINE)),neon)

HEADERS := $(shell find csrc tests/c -name '*.[h]' -o -name '*.inc.c')
SOURCES := $(wildcard csrc/core/*.c csrc/ops/*.c tests/c/*.c)

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 16

build: ## build the extension in place
	$(PYTHON) setup.py build_ext --inplace

test: build ## all tests
	$(PYTHON) -m pytest

bench: build ## the benchmark table of the LeNet shapes
	$(PYTHON) -m cnnfast bench lenet

# One C program: every kernel and whole convolutions against naive loops.  $(1) = variant, $(2) = its flags.
define C_PROGRAM
$(BUILD)/$(1)/check_kernels: $(patsubst %.c,$(BUILD)/$(1)/%.o,$(SOURCES)) $(foreach i,$(ISAS),$(BUILD)/$(1)/$(i)_f32.o $(BUILD)/$(1)/$(i)_f64.o)
	$(CC) $(2) $$^ -o $$@ -lm
$(BUILD)/$(1)/%.o: %.c $(HEADERS)
	@mkdir -p $$(@D)
	$(CC) $(CFLAGS_COMMON) $(2) -c $$< -o $$@
$(BUILD)/$(1)/%_f32.o: csrc/isa/%.c $(HEADERS)
	@mkdir -p $$(@D)
	$(CC) $(CFLAGS_COMMON) $(2) $$(FLAGS_$$*) -DCF_DOUBLE=0 -c $$< -o $$@
$(BUILD)/$(1)/%_f64.o: csrc/isa/%.c $(HEADERS)
	@mkdir -p $$(@D)
	$(CC) $(CFLAGS_COMMON) $(2) $$(FLAGS_$$*) -DCF_DOUBLE=1 -c $$< -o $$@
endef
$(eval $(call C_PROGRAM,plain,-O3 $(OPENMP)))
# -O1: the address sanitizer does not finish with the inlined tiles at -O3.
$(eval $(call C_PROGRAM,sanitize,-O1 -g $(OPENMP) -fsanitize=address$(comma)undefined -fno-sanitize-recover=all))

check-c: $(BUILD)/plain/check_kernels ## C kernels against naive loops
	$(RUN) $<

sanitize: $(BUILD)/sanitize/check_kernels ## the same under the address and undefined-behaviour sanitizers
	ASAN_OPTIONS=detect_leaks=1 $(RUN) $<

spills: ## the tile keeps its accumulators in registers
	$(PYTHON) tools/check_spills.py $(CC)

lint: ## style and types
	ruff check . && ruff format --check .
	mypy
	cython-lint $(shell git ls-files 'cnnfast/*.pyx' 'cnnfast/*.pxd' 'cnnfast/*.pxi')
	clang-format --dry-run -Werror $(shell git ls-files 'csrc/*.[ch]' 'tests/c/*.[ch]')
	$(PYTHON) tools/check_sizes.py

format: ## rewrite in the project's style
	ruff check --fix . && ruff format .
	clang-format -i $(shell git ls-files 'csrc/*.[ch]' 'tests/c/*.[ch]')

clean: ## remove what the build made
	rm -rf build dist *.egg-info cnnfast/_core.c cnnfast/_core*.so

.PHONY: help build test bench check-c sanitize spills lint format clean
