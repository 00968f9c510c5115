"""The disk of the S3 service fills while a run writes to it, and has room again afterwards."""

import os
import subprocess
import threading
from contextlib import contextmanager, suppress

import pytest

from infra.s3.buckets import make_buckets
from infra.s3.service import S3Service
from tests.faults.conftest import COMPUTED, FIRST, LAST
from tests.faults.recording import CLEANLY
from tests.integration.s3.conftest import point_at
from tests.integration.s3.test_pipeline import contents
from tsubame.cli.main import main
from tsubame.errors import Unavailable
from tsubame.stores import Store

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

MEBIBYTES = 192
SPAN = ["--from", str(FIRST), "--to", str(LAST)]


class Disk:
    """A small file system of its own.

    Attributes:
        folder: where it is mounted.
    """

    def __init__(self, folder):
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, leave=0):
        """Take all room but ``leave`` bytes."""
        with self._ballast.open("ab", buffering=0) as sink, suppress(OSError):
            while True:
                sink.write(bytes(1 << 16))
        with self._ballast.open("ab", buffering=0) as sink, suppress(OSError):
            while True:
                sink.write(bytes(1 << 12))
        if leave:
            os.truncate(self._ballast, self._ballast.stat().st_size - leave)

    def free(self):
        self._ballast.unlink()

    def objects(self):
        """How many objects are on it."""
        return sum(1 for _ in self.folder.rglob("objects/**/*.data"))


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "s3" / "devices"
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={MEBIBYTES}m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def on_s3(disk, tiny, tmp_path, monkeypatch):
    """The service on that disk, the lake on it, the captures elsewhere; commands start their own cluster."""
    with S3Service(tmp_path / "s3") as service:
        make_buckets(service.environment(), ["lake", "site"])
        point_at(monkeypatch, service.environment())
        monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
        monkeypatch.delenv("TSUBAME_TIMEZONE", raising=False)
        for name in ("captures", "delegations"):
            monkeypatch.setenv(f"TSUBAME_{name.upper()}_URL", str(tiny / name))
        monkeypatch.setenv("TSUBAME_SENSORS_URL", str(tiny / "captures" / "sensors.csv"))
        monkeypatch.setenv("TSUBAME_LAKE_URL", "s3://lake")
        monkeypatch.setenv("TSUBAME_SITE_URL", "s3://site")
        monkeypatch.chdir(tmp_path)
        yield service
    monkeypatch.undo()
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def computed():
    """What is computed in the lake."""
    return {key: content for key, content in contents("s3://lake").items() if key.startswith(COMPUTED)}


@contextmanager
def filling(disk, after):
    """Fill the disk when so many more objects are on it."""
    wanted, over = disk.objects() + after, threading.Event()

    def watch():
        while not over.wait(0.02):
            if disk.objects() >= wanted:
                disk.fill()
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)


def told(capsys, bucket):
    """The line that a command ended with; the only one that is not a progress bar's."""
    lines = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if line.startswith("tsubame: ")]
    assert len(lines) == 1, lines
    assert f"s3://{bucket}/" in lines[0], lines
    return lines[0].removeprefix("tsubame: ")


@pytest.mark.parametrize(("command", "after"), [("ingest", 12), ("count", 8)])
def test_a_run_of_days(fault, disk, on_s3, undisturbed, capsys, command, after):
    done = f"its disk is filled to the last byte during `tsubame {command}`; emptied, the command runs again at once"
    with fault(f"the S3 service's disk is full: {command}", done) as found:
        if command == "count":
            assert main(["ingest", *SPAN]) == 0
        before = computed()
        capsys.readouterr()
        with filling(disk, after):
            assert main([command, *SPAN]) == 4
        line = told(capsys, "lake")
        # Full, Swift lists what it had before: its listings wait in a file for room.
        assert before.items() <= computed().items() <= undisturbed.items()
        disk.free()
        left = computed()
        assert len(before) < len(left) < len(undisturbed)
        assert left.items() <= undisturbed.items()
        assert main([command, *SPAN]) == 0
        if command == "ingest":
            assert main(["count", *SPAN]) == 0
        assert computed() == undisturbed
        found.held = f"{CLEANLY}; {len(left)} objects were whole (“{line[:120]}”)"


def test_an_upload_in_parts(fault, disk, on_s3, tmp_path):
    with fault("the S3 service's disk is full: upload in parts", "room for two of four parts of 16 MiB") as found:
        lake = Store("s3://lake")
        large = tmp_path / "large"
        large.write_bytes(os.urandom(60 << 20))
        lake.put("small", b"before")
        disk.fill(leave=40 << 20)
        with pytest.raises(Unavailable, match=r"^s3://lake/large: cannot be written") as caught:
            lake.put_file("large", large)
        assert "\n" not in str(caught.value)
        assert [info.key for info in lake.list()] == ["small"]
        assert lake.read("small") == b"before"
        disk.free()
        with_parts = disk.objects()
        lake.put_file("large", large)
        assert [info.key for info in lake.list()] == ["large", "small"]
        assert lake.read("large") == large.read_bytes()
        found.held = f"no object listed, {with_parts - 1} parts left; next time written (“{str(caught.value)[:120]}”)"
