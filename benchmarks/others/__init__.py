"""Programs of others, each in an environment of its own: nobody who only uses this project installs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def run_other(name: str, script: str, *arguments: str) -> dict[str, Any] | None:
    """Run a script of this folder in the environment of ``<name>.lock.txt``; return what it prints, as JSON.

    None means that the environment cannot be made here, pytricia's for want of a C compiler, say; why is on stderr.

    Raises:
        RuntimeError: the script failed.
    """
    sys.path.insert(0, str(ROOT))
    from infra.s3.environment import installed

    try:
        python = installed(ROOT / ".setup" / f"bench-{name}", HERE / f"{name}.lock.txt")
    except SystemExit:
        return None
    environment = {**os.environ, "POLARS_MAX_THREADS": "1"}
    said = subprocess.run(
        [str(python), str(HERE / script), *arguments], capture_output=True, text=True, check=False, env=environment
    )
    if said.returncode:
        raise RuntimeError(f"{script}: {(said.stderr.strip().splitlines() or ['nothing said'])[-1]}")
    result: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return result
