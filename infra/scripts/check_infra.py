"""Checks what schemas cannot: that every name in infra/ that refers to something refers to something that is there.

``python infra/scripts/check_infra.py``: part of ``make check``; prints one line for each fault and ends with 1.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

INFRA = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(INFRA.parent))

from infra.s3.buckets import BUCKETS, urls  # noqa: E402
from infra.scripts import pod_rules  # noqa: E402

MADE_BY_HAND = {
    "dask-scheduler-tls", "dask-worker-tls", "dask-client-tls", "postgres-ca", "s3-lake-writer", "s3-publisher"
}  # fmt: skip
"""Secrets that infra/kubernetes/README.md says how to make."""
_SECRET = re.compile(r"(?i)(password|passwd|secret|token|private_key|fernet_key)")


def main() -> int:
    """Check everything; returns the exit status."""
    faults = [
        *compose_faults(INFRA / "compose" / "compose.yaml"),
        *dockerfile_faults(INFRA / "images"),
        *kubernetes_faults(INFRA / "kubernetes"),
        *policy_faults(INFRA / "policies"),
        *secret_faults(INFRA),
    ]
    for fault in faults:
        print(f"infra: {fault}", file=sys.stderr)
    return 1 if faults else 0


def compose_faults(path: Path) -> Iterator[str]:
    """Yield what is wrong between the services of a compose file."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    services = document["services"]
    for name, service in services.items():
        where = f"{path.name}: {name}"
        for kind in ("secrets", "networks"):
            for used in service.get(kind, ()):
                key = used["source"] if isinstance(used, dict) else used
                if key not in document.get(kind, {}):
                    yield f"{where}: {kind[:-1]} {key} is not declared"
        for volume in service.get("volumes", ()):
            if volume["type"] == "volume" and volume["source"] not in document["volumes"]:
                yield f"{where}: volume {volume['source']} is not declared"
            if volume["type"] == "bind" and not (path.parent / volume["source"]).exists():
                yield f"{where}: {volume['source']} does not exist"
        for needed, how in service.get("depends_on", {}).items():
            if needed not in services:
                yield f"{where}: depends on {needed}, which is no service"
            elif how["condition"] == "service_healthy" and "healthcheck" not in services[needed]:
                yield f"{where}: waits for the health of {needed}, which has no health check"
        if build := service.get("build"):
            if not (path.parent / build["context"] / build["dockerfile"]).exists():
                yield f"{where}: {build['dockerfile']} does not exist"
        elif ":" not in service["image"] or service["image"].endswith(":latest"):
            yield f"{where}: {service['image']} is not pinned"
        yield from _compose_environment_faults(where, name, service, document)
        yield from pod_rules.service_faults(where, service)
    used = {image for service in services.values() if "build" in service for image in [service["image"]]}
    for name, service in services.items():
        if service["image"].startswith("tsubame") and service["image"] not in used:
            yield f"{path.name}: {name}: no service builds {service['image']}"


def _compose_environment_faults(
    where: str, name: str, service: dict[str, Any], document: dict[str, Any]
) -> Iterator[str]:
    networks = set(service.get("networks", ()))
    mounted = {
        (used.get("target", f"/run/secrets/{used['source']}") if isinstance(used, dict) else f"/run/secrets/{used}")
        for used in service.get("secrets", ())
    }
    texts = {**service.get("environment", {}), "command": " ".join(service.get("command", ()))}
    for key, value in texts.items():
        if _SECRET.search(key) and not key.endswith(("_FILE", "_CMD")):
            yield f"{where}: {key} looks like a secret; mount a file"
        for file in re.findall(r"/run/secrets/\w+", str(value)):
            if file not in mounted:
                yield f"{where}: {key} names {file}, which is not mounted"
        for host, port in re.findall(r"(?:https?|tls|tcp)://([\w-]+):(\d+)", str(value)):
            if host in ("localhost", name):
                continue
            other = document["services"].get(host)
            if other is None:
                yield f"{where}: {key} names the host {host}, which is no service"
            elif not networks & set(other.get("networks", ())):
                yield f"{where}: {key} names {host}, which is in none of its networks"
            elif port not in json.dumps(other):
                yield f"{where}: {key} names port {port} of {host}, which does not mention it"


def dockerfile_faults(folder: Path) -> Iterator[str]:
    """Yield what an image would copy that is not there, or that ``.dockerignore`` keeps back."""
    ignore = (INFRA.parent / ".dockerignore").read_text(encoding="utf-8").split()
    let_in = [line[1:] for line in ignore if line.startswith("!")]
    for path in sorted(folder.glob("*Dockerfile")):
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"(?m)^COPY (?!--from)(.+)$", text):
            for source in line.split()[:-1]:
                if not (INFRA.parent / source).exists():
                    yield f"{path.name}: {source} does not exist"
                elif not any(source == let or source.startswith(f"{let}/") for let in let_in):
                    yield f"{path.name}: {source} is kept back by .dockerignore"
        if not re.search(r"(?m)^USER (?!root|0\b)", text):
            yield f"{path.name}: runs as root"
        for image in re.findall(r"(?m)^FROM (\S+)", text):
            if not re.search(r":\d+\.\d+\.\d+|@sha256:", image):
                yield f"{path.name}: {image} is not pinned"


def kubernetes_faults(folder: Path) -> Iterator[str]:
    """Yield what is wrong between the manifests."""
    base = folder / "base"
    listed = yaml.safe_load((base / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    there = sorted(path.name for path in base.glob("*.yaml") if path.name != "kustomization.yaml")
    for name in sorted(set(listed) ^ set(there)):
        yield f"kustomization.yaml: {name} is {'not there' if name in listed else 'not listed'}"
    objects = [o for name in there for o in yaml.safe_load_all((base / name).read_text(encoding="utf-8")) if o]
    named = {(o["kind"], o["metadata"]["name"]) for o in objects}
    pods = [o["spec"]["template"] for o in objects if o["kind"] == "Deployment"]
    values = yaml.safe_load((folder / "airflow-values.yaml").read_text(encoding="utf-8"))
    labels = [pod["metadata"]["labels"] for pod in pods] + [values["labels"]]
    for thing in objects:
        where = f"{thing['kind']} {thing['metadata']['name']}"
        for wanted in _selectors(thing):
            if not any(wanted.items() <= label.items() for label in labels):
                yield f"{where}: no pod has the labels {wanted}"
        if thing["kind"] == "HorizontalPodAutoscaler":
            target = thing["spec"]["scaleTargetRef"]
            if (target["kind"], target["name"]) not in named:
                yield f"{where}: scales {target['name']}, which is not there"
    for mounting in [*(pod["spec"] for pod in pods), values]:
        yield from _mount_faults(mounting, named)
    for thing in objects:
        if thing["kind"] == "Deployment":
            yield from pod_rules.pod_faults("Deployment", thing["metadata"]["name"], thing["spec"]["template"]["spec"])
    yield from pod_rules.scaling_faults(objects)
    yield from pod_rules.policy_faults(objects)
    settings = {o["metadata"]["name"]: o["data"] for o in objects if o["kind"] == "ConfigMap"}
    if settings["dask-settings"]["dask.yaml"] != (INFRA / "dask" / "dask.yaml").read_text(encoding="utf-8"):
        yield "settings.yaml: dask.yaml differs from infra/dask/dask.yaml"
    for key, url in urls().items():
        if settings["tsubame-settings"].get(key) != url:
            yield f"settings.yaml: {key} is not {url}"


def _selectors(thing: dict[str, Any]) -> Iterator[dict[str, str]]:
    spec = thing.get("spec", {})
    if thing["kind"] == "Service":
        yield spec["selector"]
    if thing["kind"] in ("Deployment", "PodDisruptionBudget"):
        yield spec["selector"]["matchLabels"]
    if thing["kind"] == "NetworkPolicy":
        yield spec["podSelector"].get("matchLabels", {})
        for rule in [*spec.get("ingress", ()), *spec.get("egress", ())]:
            for peer in [*rule.get("from", ()), *rule.get("to", ())]:
                if "podSelector" in peer and "namespaceSelector" not in peer:
                    yield peer["podSelector"]["matchLabels"]


def _mount_faults(pod: dict[str, Any], named: set[tuple[str, str]]) -> Iterator[str]:
    volumes = {volume["name"]: volume for volume in pod.get("volumes", ())}
    for volume in volumes.values():
        if "configMap" in volume and ("ConfigMap", volume["configMap"]["name"]) not in named:
            yield f"volume {volume['name']}: there is no config map {volume['configMap']['name']}"
        if "secret" in volume and volume["secret"]["secretName"] not in MADE_BY_HAND:
            yield f"volume {volume['name']}: nobody makes the secret {volume['secret']['secretName']}"
    for container in pod.get("containers", [pod]):
        for mount in container.get("volumeMounts", ()):
            if mount["name"] not in volumes:
                yield f"mount {mount['name']}: there is no such volume"
        for source in container.get("envFrom", ()):
            if ("ConfigMap", source["configMapRef"]["name"]) not in named:
                yield f"there is no config map {source['configMapRef']['name']}"


def policy_faults(folder: Path) -> Iterator[str]:
    """Yield statements that name other buckets than ours, or allow more than single actions on them."""
    arns = tuple(f"arn:aws:s3:::{name}" for name in BUCKETS)
    for path in sorted(folder.glob("*.json")):
        for statement in json.loads(path.read_text(encoding="utf-8"))["Statement"]:
            for resource in statement["Resource"]:
                if resource.partition("/")[0] not in arns:
                    yield f"{path.name}: {resource} is none of the buckets"
            for action in statement["Action"]:
                if "*" in action or not action.startswith("s3:"):
                    yield f"{path.name}: {action} is too much"


def secret_faults(folder: Path) -> Iterator[str]:
    """Yield files that hold what looks like a secret's value."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".yaml", ".json", ".toml", ".conf", "Dockerfile") or path.name.endswith("Dockerfile"):
            for found in pod_rules.secrets_in(path.read_text(encoding="utf-8")):
                yield f"{path.relative_to(folder)}: {found} looks like a secret"


if __name__ == "__main__":
    raise SystemExit(main())
