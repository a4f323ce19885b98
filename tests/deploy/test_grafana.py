"""The Grafana dashboard asks for metrics and labels that servers have."""

import json
import re
from typing import Any

import pytest

from mainspring.telemetry.book import Key, Series
from mainspring.telemetry.measures import OWN
from mainspring.telemetry.metrics import expose
from mainspring.telemetry.records import record, samples
from tests.architecture.sources import PACKAGE, ROOT

BOARD = json.loads((ROOT / "deploy" / "grafana" / "mainspring.json").read_text())
PANELS: list[dict[str, Any]] = BOARD["panels"]
NAMED = re.compile(r"\b((?:mainspring|process)_[a-z_]+)(?:\{([^}]*)\})?")
LITERAL = re.compile(r'"((?:mainspring|process)_[a-z_]+)"')
SPREAD = re.compile(r"_(?:bucket|sum|count)$")


def exposed() -> set[str]:
    """Every name that `/metrics` may show: of what is measured, and of samples in the source."""
    found = {name for path in PACKAGE.rglob("*.py") for name in LITERAL.findall(path.read_text())}
    for measure in OWN:
        series = Series(Key(1, measure.name, measure.kind, tuple((n, "x") for n in measure.labels)))
        series.open.spread(1)
        text = expose(samples([record(series, "dev", 0)]))
        found |= {line.split("{")[0] for line in text.splitlines() if not line.startswith("#")}
    return found


def labels() -> set[str]:
    return {"environment", "le", *(name for measure in OWN for name in measure.labels)}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_for_what_there_is(panel: dict[str, Any]) -> None:
    there = exposed()
    for target in panel["targets"]:
        found = NAMED.findall(target["expr"])
        assert found, target["expr"]
        for name, selected in found:
            assert name in there or SPREAD.sub("", name) in there, name
            for label in re.findall(r"(\w+)=~", selected):
                assert label in labels(), label
        for label in re.findall(r"by \(([^)]*)\)", target["expr"]):
            assert label in labels() | {"status", "instance"}, label


def test_every_measure_of_ours_has_a_panel() -> None:
    text = json.dumps(PANELS)
    for measure in OWN:
        assert f"mainspring_{measure.name.replace('.', '_')}" in text or (
            measure.name == "workers.sessions"
        ), measure.name


def test_panels_have_numbers_and_places_of_their_own() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({tuple(panel["gridPos"].items()) for panel in PANELS}) == len(PANELS)
