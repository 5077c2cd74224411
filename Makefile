# On a machine with only Rust and git, each of these does all its own set-up.
.PHONY: help demo test check bench fuzz docs

help:
	@echo "make demo    validate, diff, plan; releases under load, a bad one, a rollback"
	@echo "make test    all tests"
	@echo "make check   format, lints, documentation and all tests, as CI does"
	@echo "make bench   how fast, with how much memory"
	@echo "make fuzz    a minute of random input for each reader (FOR=60)"
	@echo "make docs    write the generated parts of docs/ anew"

demo:
	@.ci/setup
	@cargo build --locked --quiet
	@GITDEPLOY=$(CURDIR)/target/debug/gitdeploy fixtures/demo/run

test:
	@.ci/setup
	.ci/with-engine cargo test --locked

check:
	@.ci/run

bench:
	@.ci/setup
	.ci/with-engine cargo bench --locked

fuzz:
	@.ci/setup
	@fuzz/run $(or $(FOR),60)

docs:
	@.ci/setup
	UPDATE_DOCS=1 cargo test --locked --test project -- --test-threads=1
