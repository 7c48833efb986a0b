"""docker-compose.yml and the Dockerfile keep what docs/deploy.md promises. (Real containers: see there.)"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from sparc_core import __version__

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
FINAL = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_held_small_and_without_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert re.fullmatch(r"\$\{SPARC_\w+:-\d+g\}", service["mem_limit"])
    assert "privileged" not in service
    assert "cap_add" not in service


@pytest.mark.parametrize("name", [name for name in SERVICES if name.startswith("serve")])
def test_the_server_reads_bundles_only_and_is_started_again(name: str) -> None:
    service = SERVICES[name]
    assert "data:/data:ro" in service["volumes"]
    assert service["restart"] == "unless-stopped"
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    (builder,) = service["depends_on"]
    assert service["depends_on"][builder] == {"condition": "service_completed_successfully"}
    assert SERVICES[builder]["profiles"] == service["profiles"]
    assert SERVICES[builder]["image"] == service["image"]


def test_every_service_belongs_to_one_profile_and_the_file_env_chooses_cpu() -> None:
    profiles = {name: service["profiles"] for name, service in SERVICES.items()}
    assert profiles == {"build": ["cpu"], "serve": ["cpu"], "build-gpu": ["gpu"], "serve-gpu": ["gpu"]}
    assert "COMPOSE_PROFILES=cpu\n" in (ROOT / ".env").read_text()


def test_the_gpu_services_reserve_one() -> None:
    for name, service in SERVICES.items():
        devices = service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
        assert [device["capabilities"] for device in devices] == ([["gpu"]] if name.endswith("-gpu") else [])
        if "build" in service:
            assert service["build"]["args"] == {"TORCH": "cuda" if name.endswith("-gpu") else "cpu"}


def test_every_setting_that_the_file_passes_on_exists() -> None:
    from server.settings import Settings

    settings = {f"SPARC_{name.upper()}" for name in Settings.model_fields}
    for service in SERVICES.values():
        ours = {name for name in service["environment"] if name.startswith("SPARC_")}
        assert ours - settings <= {"SPARC_CONFIG"}


def test_the_image_runs_as_a_number_and_says_how_it_is() -> None:
    assert re.search(r"^USER (\d{4,}):\d{4,}$", FINAL, re.MULTILINE)
    assert "HEALTHCHECK" in FINAL
    assert "/readyz" in FINAL
    assert set(re.findall(r"org\.opencontainers\.image\.(\w+)=", FINAL)) == {
        "title",
        "description",
        "licenses",
        "version",
    }
    assert f"ARG VERSION={__version__}\n" in FINAL
    assert "gcc" not in DOCKERFILE
    assert "apt-get" not in DOCKERFILE


def test_the_build_sees_what_it_copies_and_no_more() -> None:
    seen = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", DOCKERFILE, re.MULTILINE)
    needed = {source.split("/")[0] for sources in copied for source in sources.split()}
    assert needed == seen


def compose(*arguments: str) -> list[str]:
    done = subprocess.run(["docker", "compose", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(done.stdout.split())


def has_compose() -> bool:
    docker = shutil.which("docker")
    return docker is not None and not subprocess.run([docker, "compose", "version"], capture_output=True).returncode


@pytest.mark.skipif(not has_compose(), reason="docker compose is not installed")
def test_compose_itself_chooses_the_same_services() -> None:
    assert compose("config", "--services") == ["build", "serve"]
    assert compose("--profile", "gpu", "config", "--services") == ["build-gpu", "serve-gpu"]
