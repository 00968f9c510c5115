"""Set up `.venv` from the hash lock. Run by `make setup`; standard library only, any Python can say what is missing.

Works with or without uv on the PATH (without: uv is installed with pip into `.setup/`, nothing else is touched),
as root or not, and does nothing when all is there already.
"""

import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.path.join(ROOT, ".venv")
OWN_UV = os.path.join(ROOT, ".setup", "uv")
LOCK = os.path.join(ROOT, "requirements.lock.txt")
UV_LOCK = os.path.join(ROOT, "infra", "uv.lock.txt")
STAMP = os.path.join(VENV, ".tsubame-setup")
NEEDED_MB = 2500


def stop(message):
    """End with one line that says what is missing."""
    sys.stderr.write("setup: " + message + "\n")
    raise SystemExit(4)


def say(message):
    """Tell what is being done."""
    sys.stdout.write("setup: " + message + "\n")
    sys.stdout.flush()


def fingerprint():
    """Return a digest of all that the environment is made from."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (LOCK, UV_LOCK, os.path.join(ROOT, "pyproject.toml")):
        with open(path, "rb") as stream:
            digest.update(stream.read())
    return digest.hexdigest()


def check_machine():
    """Stop with a clear line where the set-up cannot work."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        stop(
            "needs Python 3.11, 3.12 or 3.13, found %d.%d. Install one and run: make setup PYTHON=/path/to/python3.11"
            % sys.version_info[:2]
        )
    if not os.access(ROOT, os.W_OK):
        stop("cannot write to the checkout %s. Give yourself the right, or clone it elsewhere." % ROOT)
    free = shutil.disk_usage(ROOT).free // 2**20
    if free < NEEDED_MB and not os.path.exists(STAMP):
        stop("needs %d MB free below %s, found %d. Free some space." % (NEEDED_MB, ROOT, free))


def pip_settings():
    """Return uv's variables for the package index and certificates that pip is configured with."""
    variables = {}
    try:
        said = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=60, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return variables
    for line in said.splitlines():
        name, _, value = line.partition("=")
        value = value.strip("'\"")
        name = name.rpartition(".")[2]
        if name == "index-url":
            variables["UV_DEFAULT_INDEX"] = value
        elif name == "cert":
            variables["SSL_CERT_FILE"] = value
    return {name: value for name, value in variables.items() if name not in os.environ}


def find_uv():
    """Return the path of a uv that runs: the one on the PATH, ours, or ours after installing it with pip."""
    own = os.path.join(OWN_UV, "bin", "uv")
    for candidate in (shutil.which("uv"), own):
        if candidate and os.path.exists(candidate):
            works = subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0
            if works:
                return candidate
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        stop("neither uv nor pip is there. Install one of them (on Debian: apt-get install python3-pip).")
    say("installing uv into .setup/ with pip")
    shutil.rmtree(OWN_UV, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-warn-script-location",
    ]
    command += ["--root-user-action", "ignore", "--require-hashes", "--target", OWN_UV, "-r", UV_LOCK]
    if subprocess.run(command, check=False).returncode:
        stop("pip could not install uv (its reason is above). Check the network, or install uv yourself.")
    return own


def run_uv(uv, arguments):
    """Run uv and stop with its reason when it fails."""
    environment = dict(os.environ, **pip_settings())
    environment.pop("VIRTUAL_ENV", None)
    environment.setdefault("UV_HTTP_TIMEOUT", "180")
    environment.setdefault("UV_LINK_MODE", "copy")
    # What a registry offers for this machine is fetched; Pythons are not: the one that runs this is used.
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    if subprocess.run([uv] + arguments, env=environment, cwd=ROOT, check=False).returncode:
        stop("uv %s failed (its reason is above). Check the network and the package index." % " ".join(arguments[:2]))


def main():
    """Set up the environment, or find that it is there."""
    check_machine()
    wanted = fingerprint()
    python = os.path.join(VENV, "bin", "python")
    if os.path.exists(STAMP) and os.path.exists(python):
        with open(STAMP) as stream:
            if stream.read().strip() == wanted:
                return
    uv = find_uv()
    say("creating .venv with Python %d.%d.%d" % sys.version_info[:3])
    run_uv(uv, ["venv", "--quiet", "--clear", "--python", sys.executable, VENV])
    say("installing the locked packages (about 1.2 GB on the first run)")
    run_uv(uv, ["pip", "sync", "--quiet", "--python", python, "--require-hashes", LOCK])
    run_uv(
        uv, ["pip", "install", "--quiet", "--python", python, "--no-deps", "--no-build-isolation", "--editable", ROOT]
    )
    with open(STAMP, "w") as stream:
        stream.write(wanted + "\n")
    say("done")


if __name__ == "__main__":
    main()
