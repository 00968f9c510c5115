"""Asks whether a locked package has a known vulnerability, by pip-audit; part of ``make check``.

``python infra/scripts/audit_dependencies.py [LOCK]``. Ends with 1 when one has; when the database cannot be asked it
says so in one line and ends with 0, since that tells nothing of the packages. Settings: ``AUDIT_URL``, an OSV service.

First the database is asked of one package: where it does not answer, or what answers is no such database (a package
mirror knows no vulnerabilities, and pip-audit would take its silence for "none found"), the others are not asked.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock.txt"
OSV = "https://api.osv.dev/v1/query"
PROBE = {"package": {"name": "jinja2", "ecosystem": "PyPI"}, "version": "2.4.1"}
"""A package version with vulnerabilities that are known since 2014: a database that finds none is none."""
_SECONDS_FOR_PROBE = 4
_SECONDS_FOR_ALL = 300
_PINNED = re.compile(r"(?m)^([A-Za-z0-9._-]+)==([^\s;\\]+)")


def main(arguments: list[str]) -> int:
    """Audit the lock; returns the exit status."""
    lock = Path(arguments[0]) if arguments else LOCK
    url = os.environ.get("AUDIT_URL", "").strip() or OSV
    if reason := unreachable(url):
        print(f"audit: not done: the vulnerability database cannot be asked: {reason}")
        return 0
    try:
        found, unasked = audit(lock, url)
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        print(f"audit: not done: pip-audit did not finish: {type(error).__name__}")
        return 0
    for line in found:
        print(f"audit: {line}", file=sys.stderr)
    print(f"audit: {len(_PINNED.findall(lock.read_text(encoding='utf-8')))} locked packages, {len(found)} vulnerable")
    for line in unasked:
        print(f"audit: not asked: {line}")
    return 1 if found else 0


def unreachable(url: str) -> str | None:
    """Return why the database cannot be asked; None when it answers as one that knows vulnerabilities."""
    told: queue.Queue[str | None] = queue.Queue()
    # Resolving a name has no timeout of its own: a thread that hangs in it ends with this program.
    threading.Thread(target=lambda: told.put(_probe(url)), daemon=True).start()
    try:
        return told.get(timeout=_SECONDS_FOR_PROBE + 1)
    except queue.Empty:
        return f"no answer within {_SECONDS_FOR_PROBE} s"


def _probe(url: str) -> str | None:
    request = urllib.request.Request(url, json.dumps(PROBE).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS_FOR_PROBE) as answer:
            known = json.loads(answer.read())["vulns"][0]["id"]
    except urllib.error.HTTPError as error:
        error.close()
        return f"HTTP {error.code}"
    except TimeoutError:
        return f"no answer within {_SECONDS_FOR_PROBE} s"
    except (OSError, http.client.HTTPException) as error:
        return str(getattr(error, "reason", "") or error or type(error).__name__)
    except (ValueError, KeyError, IndexError, TypeError):
        return "what answers is no such database"
    return None if known else "what answers is no such database"


def audit(lock: Path, url: str) -> tuple[list[str], list[str]]:
    """Return a line for each vulnerability, and one for each package that could not be asked about.

    Raises:
        subprocess.SubprocessError, OSError, ValueError: pip-audit does not finish or gives no answer.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--no-deps",
         "--vulnerability-service", "osv", "--osv-url", url, "--format", "json", "--progress-spinner", "off",
         "--timeout", str(_SECONDS_FOR_PROBE)],
        capture_output=True, text=True, timeout=_SECONDS_FOR_ALL, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1):
        raise subprocess.CalledProcessError(done.returncode, "pip-audit")
    packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    found = [
        f"{package['name']} {package['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'none'}"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    return found, [f"{package['name']}: {package['skip_reason']}" for package in packages if "skip_reason" in package]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
