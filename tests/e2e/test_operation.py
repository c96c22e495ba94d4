"""What an operator sees: health, status, metrics, refusals of a wrong configuration."""

import json
import subprocess

import refusals
import samples
from prometheus_client.parser import text_string_to_metric_families

from gateway import SECRETS, environment


def test_health_is_told_by_the_binary_and_over_http(world):
    assert world.gateway.get("/livez")[0] == 200
    assert world.gateway.get("/readyz")[0] == 200
    assert world.gateway.run_verb("health", "--config", world.gateway.config).returncode == 0
    world.stop()
    assert world.gateway.run_verb("health", "--config", world.gateway.config).returncode != 0


def test_metrics_are_prometheus_text(world):
    refusals.post(world.gateway.ports[0], samples.request(samples.span("one"), samples.span("two")))
    world.gateway.wait_until(lambda found: found["honeycomb"].delivered == found["xray"].delivered == 2, "both are delivered")
    status, content_type, text = world.gateway.get("/metrics")
    assert status == 200 and content_type.startswith(("text/plain", "application/openmetrics-text"))
    families = list(text_string_to_metric_families(text))
    by_exporter = {label for family in families for sample in family.samples for label in sample.labels.values()}
    assert {"honeycomb", "xray", "rollbar"} <= by_exporter
    assert all(family.documentation for family in families), "a metric without HELP"
    assert any(sample.value == 2 and "honeycomb" in sample.labels.values() for family in families for sample in family.samples)


def test_status_shows_every_exporter_before_anything_is_sent(world):
    assert json.loads(world.gateway.get("/status")[2])["exporters"].keys() == {"honeycomb", "xray", "rollbar"}
    for name, ledger in world.gateway.ledgers().items():
        assert (ledger.kind, ledger.accepted, ledger.delivered, sum(ledger.dropped.values()), ledger.waiting) == (name, 0, 0, 0, 0)


def test_check_finds_nothing_wrong_and_prints_no_secret(world):
    checked = world.gateway.run_verb("check", "--config", world.gateway.config)
    assert checked.returncode == 0, checked.stderr
    assert not any(secret in checked.stdout + checked.stderr for secret in SECRETS)


def test_a_wrong_configuration_starts_nothing_and_says_why(binary, tmp_path):
    config = tmp_path / "gateway.yaml"
    config.write_text("exporters:\n  honeycomb:\n    api_key: ${NOT_SET}\ndefault: [honycomb]\n")
    answer = subprocess.run(
        [binary, "run", "--config", config], env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=10
    )
    assert answer.returncode != 0
    said = answer.stdout + answer.stderr
    assert "NOT_SET" in said and "did you mean `honeycomb`?" in said and "gateway.yaml:4:" in said, said
