# Short names for the commands; each is one line that can be typed without just.

# Unit and integration tests.
test:
    cargo test --locked

# The Flask app through the built gateway to stand-ins of all three vendors.
e2e *arguments:
    tests/e2e/run.sh {{arguments}}

# Builds the image, runs it, prints its size and its time to ready.
container:
    tests/e2e/container.sh

# CPU per span against a bare byte mover; arguments of its own stand behind `--`.
bench *arguments:
    cargo bench --locked --bench throughput {{arguments}}

# Kill -9, vendors that fail, reloads, under load: nothing acknowledged may be lost.
chaos *arguments="--rounds 20":
    cargo test --locked --bench chaos -- {{arguments}}

fmt:
    cargo fmt --all

clippy:
    cargo clippy --locked --all-targets -- -D warnings

# Ten times what journal and vendors can take: memory and files stay within their bounds.
bounds:
    cargo test --locked --bench chaos -- bounds
