"""The S3 service inside its container: endpoint on port 9000, the administrators' secrets from a file.

Run by Swift's own Python. ``S3_SECRET_FILE`` names the secrets (``/run/secrets/s3_secret``), ``S3_FOLDER`` the objects,
``S3_TLS_FILE`` certificate and key. A second line, ``NAME SECRET``, is a key beside the old one while keys are rotated.
"""

import os
import sys
from pathlib import Path

import configuration

PORTS = configuration.Ports(proxy=9000, object=9001, container=9002, account=9003)


def main() -> None:
    """Write the configuration and become the servers."""
    folder = Path(os.environ.get("S3_FOLDER", "/var/lib/tsubame-s3"))
    try:
        keys = configuration.read_keys(
            Path(os.environ.get("S3_SECRET_FILE", "/run/secrets/s3_secret")).read_text(encoding="ascii")
        )
    except ValueError as error:
        sys.exit(f"s3: the secrets: {error}")
    tls = os.environ.get("S3_TLS_FILE", "")
    configuration.write_configuration(
        folder, PORTS, "0.0.0.0", keys, "tsubame", Path(tls) if tls else None, administrators=tuple(keys)
    )
    program = Path(__file__).with_name("servers.py")
    storage = [str(PORTS.of(kind)) for kind in configuration.STORAGE]
    os.execv(sys.executable, [sys.executable, str(program), str(folder / "etc"), *storage])


if __name__ == "__main__":
    main()
