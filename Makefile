# The commands of the project. Most of them run a script in scripts/, which can also be run directly.

.PHONY: help run run-tls test lint format conformance conformance-light bench
.DEFAULT_GOAL := help

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-18s %s\n", $$1, $$2 }'

run: ## build the chat and serve it; prints the address (PORT=9000 for another port)
	@scripts/run $(if $(PORT),--port $(PORT))

run-tls: ## serve the chat at https://localhost:8443, with a certificate made for this machine
	@scripts/run-tls $(if $(PORT),--port $(PORT))

test: ## install what is missing, lint, build, and run every unit test
	@scripts/test

lint: ## check formatting and style
	@scripts/lint

format: ## format every Swift file in place
	@scripts/lint --fix

conformance: ## run all conformance suites against TestServer
	@scripts/conformance full

conformance-light: ## run the light set, which takes a few minutes
	@scripts/conformance light

bench: ## build the other servers, run the benchmarks, write the report
	@Benchmarks/run.sh
