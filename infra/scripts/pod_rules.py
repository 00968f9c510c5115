"""What every workload must be beyond its schema: Kubernetes' restricted pods, contained services, no secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_SECRET_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|://[^\s/:@{$]+:[^\s/@{$]+@|(?i:password|secret_key|token)\s*[:=]\s*\S{8,}"
)


def pod_faults(kind: str, name: str, pod: dict[str, Any]) -> Iterator[str]:
    """Yield where a pod is more than Kubernetes' standard *restricted* lets it be, or has no limits or probes."""
    where = f"{kind} {name}"
    context = pod.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
        yield f"{where}: may run as root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield f"{where}: has no seccomp profile"
    if pod.get("automountServiceAccountToken") is not False:
        yield f"{where}: is given a token of the Kubernetes API"
    yield from (f"{where}: {key} is set" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key))
    for volume in pod.get("volumes", ()):
        if "hostPath" in volume:
            yield f"{where}: mounts a path of its host"
        if "emptyDir" in volume and not volume["emptyDir"].get("sizeLimit"):
            yield f"{where}: {volume['name']} may fill its host's disk"
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        yield from _container_faults(f"{where}: {container['name']}", container)


def _container_faults(where: str, container: dict[str, Any]) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield f"{where}: may gain privileges"
    if context.get("readOnlyRootFilesystem") is not True:
        yield f"{where}: may write to its image"
    if "ALL" not in context.get("capabilities", {}).get("drop", ()) or context["capabilities"].get("add"):
        yield f"{where}: keeps capabilities"
    resources = container.get("resources", {})
    if not {"cpu", "memory"} <= set(resources.get("requests", {})) or "memory" not in resources.get("limits", {}):
        yield f"{where}: has no requests for CPU and memory, or no limit of memory"
    tag = container["image"].rpartition(":")[2]
    if tag in (container["image"], "latest"):
        yield f"{where}: {container['image']} is not pinned"
    for variable in container.get("env", ()):
        if re.search(r"(?i)(password|secret|token|private_key)", variable["name"]) and "value" in variable:
            yield f"{where}: {variable['name']} holds a secret in the manifest"


def scaling_faults(objects: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what would keep the autoscaler from its work: a fixed number of replicas, or no request to measure by."""
    named = {(thing["kind"], thing["metadata"]["name"]): thing for thing in objects}
    for thing in objects:
        if thing["kind"] != "HorizontalPodAutoscaler":
            continue
        where, spec = f"HorizontalPodAutoscaler {thing['metadata']['name']}", thing["spec"]
        if not 1 <= spec.get("minReplicas", 1) < spec["maxReplicas"]:
            yield f"{where}: scales from {spec.get('minReplicas', 1)} to {spec['maxReplicas']}"
        target = named.get((spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]))
        if target is None:
            continue
        if "replicas" in target["spec"]:
            yield f"{where}: {target['metadata']['name']} fixes its replicas, so each apply undoes the scaling"
        for metric in spec["metrics"]:
            measured = metric["resource"]["name"]
            for container in target["spec"]["template"]["spec"]["containers"]:
                if measured not in container.get("resources", {}).get("requests", {}):
                    yield f"{where}: {container['name']} requests no {measured} to measure by"


def policy_faults(objects: list[dict[str, Any]]) -> Iterator[str]:
    """Yield pods that no network policy of their own holds, and a namespace that lets through what none names."""
    policies = [thing for thing in objects if thing["kind"] == "NetworkPolicy"]
    closed = [
        policy for policy in policies
        if not policy["spec"]["podSelector"] and set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        and not policy["spec"].get("ingress") and not policy["spec"].get("egress")
    ]  # fmt: skip
    if not closed:
        yield "network policies: nothing closes what is not opened"
    for policy in policies:
        for peer in [p for rule in policy["spec"].get("ingress", ()) for p in rule.get("from", [{}])]:
            if not peer.get("podSelector"):
                yield f"NetworkPolicy {policy['metadata']['name']}: lets everyone in"
        for rule in policy["spec"].get("egress", ()):
            if any("ipBlock" in peer for peer in rule.get("to", ())) and not rule.get("ports"):
                yield f"NetworkPolicy {policy['metadata']['name']}: lets out to every port"
    for thing in objects:
        if thing["kind"] == "Deployment":
            labels = thing["spec"]["template"]["metadata"]["labels"]
            chosen = [p["spec"]["podSelector"].get("matchLabels", {}) for p in policies]
            if not any(wanted.get("part") == labels.get("part") for wanted in chosen):
                yield f"Deployment {thing['metadata']['name']}: no network policy is for it"


def service_faults(where: str, service: dict[str, Any]) -> Iterator[str]:
    """Yield where a compose service is more than it needs to be."""
    if service.get("privileged") or service.get("network_mode") == "host" or service.get("pid") == "host":
        yield f"{where}: reaches its host"
    if service.get("cap_drop") != ["ALL"]:
        yield f"{where}: keeps capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", ()):
        yield f"{where}: may gain privileges"
    if not service.get("read_only"):
        yield f"{where}: may write to its image"
    for port in service.get("ports", ()):
        if not str(port).startswith("127.0.0.1:"):
            yield f"{where}: port {port} is open beyond this host"


def secrets_in(text: str) -> list[str]:
    """Return what in a file of infra/ looks like a secret's value."""
    return [match[0][:24] + "…" for match in _SECRET_VALUE.finditer(text)]
