"""The S3 service inside its container: endpoint on port 9000, the administrator's secret from a file.

Run by Swift's own Python. ``S3_SECRET_FILE`` names the secret (``/run/secrets/s3_secret``), ``S3_FOLDER`` the objects,
``S3_TLS_FILE`` certificate and key.
"""

import os
import sys
from pathlib import Path

import configuration

PORTS = configuration.Ports(proxy=9000, object=9001, container=9002, account=9003)


def main() -> None:
    """Write the configuration and become the servers."""
    folder = Path(os.environ.get("S3_FOLDER", "/var/lib/tsubame-s3"))
    secret = Path(os.environ.get("S3_SECRET_FILE", "/run/secrets/s3_secret")).read_text(encoding="ascii").strip()
    if len(secret) < 20 or not secret.replace("-", "").replace("_", "").isalnum():
        sys.exit("s3: the secret must be 20 or more letters, digits, - and _")
    tls = os.environ.get("S3_TLS_FILE", "")
    configuration.write_configuration(
        folder, PORTS, "0.0.0.0", {"admin": secret}, "tsubame", Path(tls) if tls else None
    )
    program = Path(__file__).with_name("servers.py")
    storage = [str(PORTS.of(kind)) for kind in configuration.STORAGE]
    os.execv(sys.executable, [sys.executable, str(program), str(folder / "etc"), *storage])


if __name__ == "__main__":
    main()
