"""deploy/monitoring: rules fire as intended and use only existing metrics."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from docs.metric_list import metric_list
from relay.metrics import RelayMetrics
from tests.api.conftest import StartServer, start_server

__all__ = ["start_server"]

ROOT = Path(__file__).parents[2]
HOME = ROOT / "deploy/monitoring"
HOOK = {"url": "http://127.0.0.1:9/hook", "secret": "whsec_c2VjcmV0c2VjcmV0c2VjcmV0"}
FROM_PROMETHEUS = {"up"}  # provided by Prometheus
NAME = re.compile(r"\b(?:wxbot|relay|process|python)_[a-z_]+\b|\bup\b")
SELECTOR = re.compile(r"\b((?:wxbot|relay|process)_[a-z_]+)\{([^}]*)\}")
GROUPED = re.compile(r"\b(?:by|without) \(([^)]*)\)")


def _rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((HOME / "wxbot.rules.yml").read_text())["groups"]
    return list(group["rules"])


def _dashboard() -> dict[str, Any]:
    return dict(json.loads((HOME / "grafana-dashboard.json").read_text()))


def _queries() -> list[str]:
    panels = [panel for panel in _dashboard()["panels"] if panel["type"] != "row"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    asked += [str(variable["query"]) for variable in _dashboard()["templating"]["list"] if variable["type"] == "query"]
    return asked + [rule["expr"] for rule in _rules()]


async def _exported(start_server: StartServer) -> dict[str, set[str]]:
    """Return the exported sample names with their labels, of a bot with an assistant, a webhook and a group."""
    server = await start_server(webhooks=[HOOK])
    await server.make_group()
    text = (await server.call("GET", "/metrics"))[1]
    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        names.setdefault(family.name, set())  # metrics without samples yet
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    for metric in metric_list():  # including those without samples
        names.setdefault(metric.name, set()).update(metric.labels)
    for family in _relay_families():
        names.setdefault(family.name, set()).update(family._labelnames)
    return names


def _relay_families() -> list[Any]:
    return list(RelayMetrics([]).collect())


async def test_queries_use_exported_metrics(start_server: StartServer) -> None:
    exported = await _exported(start_server)
    for query in _queries():
        assert set(NAME.findall(query)) <= exported.keys() | FROM_PROMETHEUS, query
    asked = set(NAME.findall(" ".join(_queries())))
    assert len(asked) > 15  # check that names are found at all


async def test_queries_use_existing_labels(start_server: StartServer) -> None:
    exported = await _exported(start_server)
    scraped = {"job", "instance"}
    for query in _queries():
        for name, matchers in SELECTOR.findall(query):
            assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= exported[name] | scraped, query
        of_all = set().union(*(exported.get(name, set()) for name in NAME.findall(query)))
        for labels in GROUPED.findall(query):
            assert {label.strip() for label in labels.split(",")} <= of_all, query


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_alert_has_a_runbook_section(language: str) -> None:
    page = (ROOT / f"docs/{language}/operations/alerts.md").read_text()
    headings = re.findall(r"^## (\w+)$", page, re.MULTILINE)
    assert headings == [rule["alert"] for rule in _rules()]
    for rule in _rules():
        assert rule["annotations"]["runbook"] == f"operations/alerts/#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in ("critical", "warning")


def test_every_alert_has_a_test() -> None:
    tested = (HOME / "wxbot.rules.test.yml").read_text()
    for rule in _rules():
        assert tested.count(rule["alert"]) > 1, rule["alert"]  # both silent and firing


def _promtool(*arguments: str) -> None:
    if shutil.which("promtool") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs promtool (Debian's package prometheus)")
    done = subprocess.run(["promtool", *arguments], cwd=HOME, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_fire_as_intended() -> None:
    _promtool("test", "rules", "wxbot.rules.test.yml")


def test_prometheus_config_is_valid() -> None:
    _promtool("check", "config", "--lint-fatal", "prometheus.yml")


async def test_exposition_format_is_valid(start_server: StartServer) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool")
    server = await start_server(webhooks=[HOOK])
    text = (await server.call("GET", "/metrics"))[1]
    check = partial(subprocess.run, ["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    done = await asyncio.to_thread(check)
    complaints = [line for line in done.stderr.splitlines() if line.startswith("wxbot_")]
    assert complaints == []


def test_dashboard_panels_do_not_overlap() -> None:
    panels = _dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in panels]
    taken = {(x, y) for px, py, w, h in places for x in range(px, px + w) for y in range(py, py + h)}
    assert len(taken) == sum(w * h for _, _, w, h in places)  # no overlaps
    assert all(x + w <= 24 for x, _, w, _ in places)
