"""Swift's four servers as one process group; run by Swift's own Python: ``servers.py FOLDER OBJECT CONTAINER ACCOUNT``.

FOLDER holds the configuration; the numbers are the storage servers' ports, from which the rings are written. The code
is imported once and the servers are forked, which takes a third of the CPU time and two thirds of the memory of
starting each by itself. They end with this process, whatever ends it.
"""

import ctypes
import os
import signal
import sys
from types import FrameType

from swift.common import utils

utils.monkey_patch()

import swift.account.server  # noqa: E402
import swift.common.middleware.s3api.s3api  # noqa: E402
import swift.common.middleware.tempauth  # noqa: E402
import swift.container.server  # noqa: E402
import swift.obj.server  # noqa: E402
import swift.proxy.server  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import run_wsgi  # noqa: E402

STORAGE = ("object", "container", "account")
_PR_SET_PDEATHSIG = 1


def write_ring(folder: str, kind: str, port: int) -> None:
    """Write the ring of one kind of storage server: one device, one replica."""
    builder = RingBuilder(part_power=4, replicas=1, min_part_hours=0)
    device = {"id": 0, "region": 1, "zone": 1, "weight": 1.0, "ip": "127.0.0.1", "port": port, "device": "d1"}
    builder.add_dev({**device, "replication_ip": "127.0.0.1", "replication_port": port, "meta": ""})
    builder.rebalance(seed="1")
    builder.get_ring().save(f"{folder}/{kind}.ring.gz")


def fork(folder: str, kind: str) -> int:
    """Start one server as a child that is killed when this process ends; returns its process id."""
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == parent:
            # The object server must know how many of its kind serve a disk.
            more = {"global_conf_callback": swift.obj.server.global_conf_callback} if kind == "object" else {}
            status = run_wsgi(f"{folder}/{kind}-server.conf", f"{kind}-server", verbose=True, **more)
    finally:
        os._exit(status or 0)


def main(folder: str, *ports: str) -> int:
    """Run the servers until SIGTERM, or until one of them ends; returns the exit status."""
    for kind, port in zip(STORAGE, ports, strict=True):
        write_ring(folder, kind, int(port))
    children = {fork(folder, kind): kind for kind in (*STORAGE, "proxy")}

    def stop(_: int, __: FrameType | None) -> None:
        # Nothing is lost: what was acknowledged is on disk.
        for child in children:
            os.kill(child, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ended, status = os.wait()
    print(f"swift's {children.pop(ended)} server has ended with status {status}", flush=True)
    for child in children:
        os.kill(child, signal.SIGKILL)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
