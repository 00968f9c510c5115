"""What Swift's four servers read: one configuration file each, written for one start."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REGION = "ap-northeast-1"
ACCOUNT = "tsubame"
ADMINISTRATOR = "admin"
STORAGE = ("object", "container", "account")
_KEY = re.compile(r"(?:([a-z][a-z0-9]*) +)?([A-Za-z0-9_-]{20,})", re.ASCII)

_PROXY = """
[DEFAULT]
bind_ip = {host}
bind_port = {proxy}
workers = 0
swift_dir = {etc}
user = {user}
log_level = WARNING
log_address = {silence}
{tls}
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck remembering listing_formats s3api tempauth bulk slo dlo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
object_chunk_size = 1048576
client_chunk_size = 1048576
node_timeout = 30
recoverable_node_timeout = 30
# There is one device: barred for a minute after a full disk's 507, nothing could be read although there is room again.
error_suppression_interval = 0

[filter:s3api]
use = egg:swift#s3api
location = {region}
dns_compliant_bucket_names = true
check_bucket_owner = true
s3_acl = false
min_segment_size = 5242880

[filter:tempauth]
use = egg:swift#tempauth
{users}

[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:remembering]
paste.filter_factory = remembering:filter_factory
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
max_manifest_segments = 10000
[filter:dlo]
use = egg:swift#dlo
"""

_STORAGE = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {etc}
devices = {devices}
mount_check = false
user = {user}
log_level = WARNING
log_address = {silence}
fallocate_reserve = 0

[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
disk_chunk_size = 1048576
network_chunk_size = 1048576
"""

_SWIFT = """
[swift-hash]
swift_hash_path_suffix = {suffix}

[storage-policy:0]
name = only
default = yes
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one start; only ``proxy`` is for clients."""

    proxy: int
    object: int
    container: int
    account: int

    def of(self, kind: str) -> int:
        """Return the port of one kind of storage server."""
        return int(getattr(self, kind))


def read_keys(text: str) -> dict[str, str]:
    """Return the secret of each user that a file names: a line each, ``NAME SECRET``, or of ``admin`` its secret alone.

    Raises:
        ValueError: a line is neither, or a name comes twice; what it holds is not told.
    """
    keys: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        found = _KEY.fullmatch(line.strip())
        name = (found[1] or ADMINISTRATOR) if found else ""
        if not found or name in keys:
            raise ValueError(f"line {number}: a name, once, and a secret of 20 or more letters, digits, - and _")
        keys[name] = found[2]
    if not keys:
        raise ValueError("there is no secret")
    return keys


def write_configuration(
    folder: Path,
    ports: Ports,
    host: str,
    secrets: dict[str, str],
    suffix: str,
    tls: Path | None = None,
    *,
    administrators: Sequence[str] = (ADMINISTRATOR,),
) -> None:
    """Write the servers' files below ``folder``; they hold the secrets, so only their owner reads them.

    Args:
        secrets: secret of each user of the account; who is in none of them does not get in.
        administrators: users who may do everything; others may do what ACLs let them.
        suffix: salts the paths of all objects; the same as when the folder was first used.
        tls: certificate and key in one file; then the endpoint is https.
    """
    etc = folder / "etc"
    for path in (etc, folder / "devices" / "d1", folder / "logs"):
        path.mkdir(parents=True, exist_ok=True)
    place = {
        "etc": etc, "devices": folder / "devices", "user": pwd.getpwuid(os.getuid()).pw_name, "host": host,
        # No syslog: what Swift says goes to its standard output.
        "silence": folder / "no-syslog", "tls": f"cert_file = {tls}\nkey_file = {tls}" if tls else "",
    }  # fmt: skip
    users = "\n".join(
        f"user_{ACCOUNT}_{name} = {secret}{' .admin' if name in administrators else ''}"
        for name, secret in secrets.items()
    )
    _write_private(etc / "swift.conf", _SWIFT.format(suffix=suffix))
    _write_private(etc / "proxy-server.conf", _PROXY.format(**place, proxy=ports.proxy, region=REGION, users=users))
    for kind in STORAGE:
        _write_private(etc / f"{kind}-server.conf", _STORAGE.format(**place, kind=kind, port=ports.of(kind)))


def _write_private(path: Path, content: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(content.lstrip())
