# The commands of the project. Each is a script of scripts/, which can be run by itself as well.

.PHONY: help run test lint format conformance conformance-light bench
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-18s %s\n", $$1, $$2 }'

run: ## build the chat and serve it; prints the address (PORT=9000 for another port)
	@scripts/run $(if $(PORT),--port $(PORT))

test: ## install what is missing, lint, build, and run every unit test
	@scripts/test

lint: ## check formatting and style; any finding is an error
	@scripts/lint

format: ## format every Swift file in place
	@scripts/lint --fix

conformance: ## all outside suites against TestServer
	@scripts/conformance full

conformance-light: ## the light set: a few minutes
	@scripts/conformance light

bench: ## build the peers, run the benchmarks, write the table
	@Benchmarks/run.sh
