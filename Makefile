# Everything that is done with this repository. `make test` needs Rust and Python 3 and fetches the rest by itself.
PYTHON ?= python3
CARGO ?= cargo

.PHONY: test live unit lint fuzz bench bench-memory bench-live bench-peers shop release clean

test: .venv/installed
	$(CARGO) test
	.venv/bin/python tests/stats/twin.py
	.venv/bin/python tests/shop.py
	.venv/bin/python tests/fix.py
	$(CARGO) build --release
	.venv/bin/python tests/tail.py
	.venv/bin/python tests/alerts.py
	.venv/bin/python tests/alertmanager.py
	.venv/bin/python tests/deploy.py
	.venv/bin/python tests/live.py --seconds 8 --rate 5000 --kills 3 --mode poll --format combined
	.venv/bin/python tests/live.py --seconds 8 --rate 3000 --kills 4 --seed 2 --format uvicorn
	.venv/bin/python tests/live.py --seconds 8 --rate 3000 --kills 3 --plan junk
	.venv/bin/python tests/live.py

# The part that follows live logs, without building anew what is there: about two minutes.
live: .venv/installed
	$(CARGO) build --release
	.venv/bin/python tests/tail.py
	.venv/bin/python tests/alerts.py
	.venv/bin/python tests/alertmanager.py
	.venv/bin/python tests/deploy.py
	.venv/bin/python tests/live.py

# The part that needs Rust alone.
unit:
	$(CARGO) test

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

bench: bench-memory
	$(CARGO) bench

# Peak memory on 1 GiB logs and on a million distinct paths, against its bounds: some minutes, 2 GB of disk.
bench-memory:
	$(CARGO) build --release --bin vitalog --example generate
	$(PYTHON) benches/memory.py

# Following 100,000 lines a second in two forms, and a hundred quiet files, against their bounds: three minutes and a half.
bench-live:
	$(CARGO) build --release
	$(PYTHON) benches/live.py

# vitalog beside GoAccess, ClickHouse, DuckDB, Polars, mawk and Python on generated logs: about an hour, 12 GB of disk.
bench-peers:
	$(PYTHON) benches/peers/run.py

# The fuzz targets for a minute each, with their seeds from the samples: needs cargo-fuzz (`cargo install cargo-fuzz --locked`).
fuzz:
	$(PYTHON) tests/fuzz/seeds.py
	for target in line parse traceback format; do \
	  RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --fuzz-dir tests/fuzz $$target -- -max_total_time=60 -rss_limit_mb=1024 -timeout=10 || exit 1; \
	done

# Runs the sample service under load and leaves its log: make shop SERVER=default|yaml|json|gunicorn
SERVER ?= default
shop: .venv/installed
	.venv/bin/python samples/shop/run.py $(SERVER)

release:
	$(CARGO) build --release

clean:
	$(CARGO) clean
	rm -rf .venv .venv-bench

.venv/installed: samples/shop/requirements.txt tests/requirements.txt tests/stats/requirements.txt
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || { apt-get update -q && apt-get install -y -q python3-venv; } \
	  || { echo "make: Python's venv is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -q --disable-pip-version-check -r samples/shop/requirements.txt -r tests/requirements.txt \
	  -r tests/stats/requirements.txt
	@touch $@
