# tokenvault: every verb of the project. 'make help' lists them.

PREFIX ?= /usr
DESTDIR ?=
CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help demo test test-boot fuzz proof coverage check bench doc header abi man fmt install deb

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## install what is missing, build, and show the vault at work on a software TPM
	@tests/demo

test: ## install what is missing, build, and run every test
	@tests/run

test-boot: ## build the packages, and test them in booted machines (ONLY=name: the tests with that in their names)
	@tests/boot/run $(ONLY)

fuzz: ## look for malformed input that is not refused (SECONDS=600: so long for each target; ONLY=backup,rows: these)
	@tests/install-deps fuzz
	@tests/fuzz/run '$(SECONDS)' '$(ONLY)'

proof: ## show every promise and what was measured, in tests/proof.md (ONLY=S4,D2: these; FUZZ_SECONDS=600: fuzz longer)
	@ONLY='$(ONLY)' FUZZ_SECONDS='$(FUZZ_SECONDS)' tests/proof/run

coverage: ## run every test, and write tests/coverage.md anew: which test covers what of the contract
	@tests/covered

check: ## what a change must pass: format, lints, dependencies, documentation, generated files, arrows
	@tests/check

bench: ## measure every target beside its reference, release build (FULL=1: a million tokens too; ONLY=latency,flood: these)
	@tests/install-deps bench
	$(CARGO) build --release --locked --workspace --exclude tokenvault-tests
	TMPDIR=/var/tmp FULL='$(FULL)' ONLY='$(ONLY)' $(CARGO) bench --locked -p tokenvault-tests --bench targets

doc: ## build the documentation of the crates into target/doc
	$(CARGO) doc --locked --workspace --no-deps --document-private-items

header: ## write include/tokenvault.h anew from the C ABI
	$(CARGO) run --quiet --locked -p tokenvault-ffi --example header -- include/tokenvault.h

man: ## write packaging/man anew from the command lines, the D-Bus interface and the default configuration
	$(CARGO) run --quiet --locked -p tokenvault-cli --example man -- packaging/man
	@packaging/manual/pages

abi: ## write ffi/abi/libtokenvault.abi anew, what programs are linked to
	@tests/install-deps check
	@tests/abi renew

fmt: ## format the code
	$(CARGO) fmt --all

install: ## build and install below $(DESTDIR)$(PREFIX)
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' CARGO='$(CARGO)' packaging/install

deb: ## build the Debian packages into target/deb (TWICE=1: build them twice and compare)
	@packaging/deb $(if $(TWICE),twice)
