"""The files of `deploy/` agree with the program: settings, commands, ports, probes, each other."""

import configparser
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mainspring.cli.main import root
from mainspring.settings import ServerSettings, WorkerSettings
from mainspring.settings.values import every_setting
from tests.architecture.sources import PACKAGE, ROOT

DEPLOY = ROOT / "deploy"
IMAGE = re.compile(r"[\w./-]+:\d[\w.]*")
"""Never `latest`, which is another program each day."""
VARIABLES = {setting.variable: setting for setting in every_setting()}
FOREIGN = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "POD_IP"}
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
KUBERNETES = DEPLOY / "kubernetes"
KUSTOMIZATION = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
OBJECTS = [
    found
    for name in KUSTOMIZATION["resources"]
    for found in yaml.safe_load_all((KUBERNETES / name).read_text())
]
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """The pods of every workload, by its name."""
    for found in OBJECTS:
        if found["kind"] in {"Deployment", "Job"}:
            yield found["metadata"]["name"], found["spec"]["template"]


def environments() -> Iterator[tuple[str, dict[str, str]]]:
    """The variables of every process of ours, with their values where they are written."""
    for name, service in SERVICES.items():
        yield f"compose {name}", {key: str(value) for key, value in service["environment"].items()}
    for name, pod in pods():
        for container in pod["spec"]["containers"]:
            yield name, {one["name"]: str(one.get("value", "")) for one in container["env"]}


def commands() -> Iterator[tuple[str, list[str]]]:
    """How every process of ours is started."""
    for name, service in SERVICES.items():
        if name != "postgres":
            yield f"compose {name}", service["command"]
    for name, pod in pods():
        for container in pod["spec"]["containers"]:
            yield name, container["args"]
    for unit in UNITS:
        words = read(unit)["Service"]["ExecStart"].split()
        assert words[0] == "/opt/mainspring/bin/mainspring"
        yield unit.name, words[1:]


def read(unit: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(unit.read_text())
    return parser


@pytest.mark.parametrize("place, given", [*environments()])
def test_every_variable_is_a_setting(place: str, given: dict[str, str]) -> None:
    assert set(given) <= VARIABLES.keys() | FOREIGN, place


@pytest.mark.parametrize("place, given", [*environments()])
def test_no_secret_is_written_down(place: str, given: dict[str, str]) -> None:
    for name, value in given.items():
        if "PASSWORD" in name or (name in VARIABLES and VARIABLES[name].secret):
            assert value == "" or re.fullmatch(r"\$\{\w+:\?\}", value), (place, name)
        assert not re.search(r"://\w+:[^$@]+@", value), (place, name)


@pytest.mark.parametrize("place, words", [*commands()])
def test_every_command_exists(place: str, words: list[str]) -> None:
    command: Any = root
    for word in words:
        command = command.get_command(None, word)
        assert command is not None, (place, words)


def test_images_are_of_one_version() -> None:
    [made] = [one for one in KUSTOMIZATION["images"] if one["name"] == "mainspring"]
    for service in SERVICES.values():
        assert IMAGE.fullmatch(service["image"])
    ours = {service["image"] for name, service in SERVICES.items() if name != "postgres"}
    assert ours == {f"mainspring:{made['newTag']}"}
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert made["newTag"] == version[1]
    for _, pod in pods():
        assert {container["image"] for container in pod["spec"]["containers"]} == {"mainspring"}


def test_ports_are_those_that_servers_listen_on() -> None:
    port = str(ServerSettings().port)
    assert f"EXPOSE {port} 7421" in DOCKERFILE
    for name in ("server-1", "server-2"):
        assert SERVICES[name]["ports"][0].endswith(f":{port}")
        assert SERVICES[name]["environment"]["MAINSPRING_SERVER_ADDRESS"] == f"{name}:7421"
        assert f":{port}/readyz" in SERVICES[name]["healthcheck"]["test"][-1]
    assert SERVICES["worker"]["environment"]["MAINSPRING_URL"].endswith(f":{port}")
    pod = dict(pods())["mainspring-server"]
    ports = {one["name"]: one["containerPort"] for one in pod["spec"]["containers"][0]["ports"]}
    assert ports == {"http": int(port), "peers": 7421}


def test_probes_ask_what_servers_answer() -> None:
    served = (PACKAGE / "server" / "app.py").read_text()
    [container] = dict(pods())["mainspring-server"]["spec"]["containers"]
    paths = {
        probe: container[probe]["httpGet"]["path"]
        for probe in ("livenessProbe", "readinessProbe", "startupProbe")
    }
    assert paths["livenessProbe"] == paths["startupProbe"] == "/healthz"
    assert paths["readinessProbe"] == "/readyz"
    for path in paths.values():
        assert f'b"{path}"' in served


def test_selectors_find_the_pods_that_they_mean() -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in pods() if "metadata" in pod}
    for found in OBJECTS:
        name, spec = found["metadata"]["name"], found.get("spec", {})
        if found["kind"] in {"Deployment", "PodDisruptionBudget"}:
            assert spec["selector"]["matchLabels"] == labels[name]
        if found["kind"] == "Service":
            assert spec["selector"] in labels.values()
        if found["kind"] == "HorizontalPodAutoscaler":
            assert spec["scaleTargetRef"]["name"] in labels
    budgets = {one["metadata"]["name"] for one in OBJECTS if one["kind"] == "PodDisruptionBudget"}
    assert budgets == labels.keys()


def test_every_manifest_is_applied() -> None:
    files = {file.name for file in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(KUSTOMIZATION["resources"])


def test_workers_scale_by_a_figure_that_servers_give() -> None:
    [scaler] = [one for one in OBJECTS if one["kind"] == "HorizontalPodAutoscaler"]
    metric = scaler["spec"]["metrics"][0]["external"]["metric"]["name"]
    assert f'"{metric}"' in (PACKAGE / "engine" / "figures.py").read_text()


def test_who_is_stopped_has_the_time_to_finish() -> None:
    drains = {"server": ServerSettings().drain_s, "worker": WorkerSettings().drain_s}
    for kind, drain_s in drains.items():
        pod = dict(pods())[f"mainspring-{kind}"]
        assert pod["spec"]["terminationGracePeriodSeconds"] > drain_s
        [unit] = [one for one in UNITS if kind in one.name]
        assert float(read(unit)["Service"]["TimeoutStopSec"]) > drain_s
        name = "server-1" if kind == "server" else kind
        assert float(SERVICES[name]["stop_grace_period"].removesuffix("s")) > drain_s


def test_nothing_runs_as_root() -> None:
    assert re.search(r"^USER \d{4,}$", DOCKERFILE, re.MULTILINE)
    for name, pod in pods():
        assert pod["spec"]["securityContext"]["runAsNonRoot"], name
    for unit in UNITS:
        assert read(unit)["Service"]["User"] == "mainspring"


def test_pods_pass_the_restricted_standard_that_their_namespace_enforces() -> None:
    [space] = [one for one in OBJECTS if one["kind"] == "Namespace"]
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, pod in pods():
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        for container in pod["spec"]["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name


def test_the_image_is_built_of_files_that_are_there() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source.removeprefix('./')}" in ignored, source
    assert (DEPLOY / COMPOSE["x-mainspring"]["build"]["context"]).resolve() == ROOT
    assert (ROOT / COMPOSE["x-mainspring"]["build"]["dockerfile"]).exists()
