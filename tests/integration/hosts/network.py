"""Hosts on this machine: network namespaces on a bridge, each with a link that can be cut."""

import os
import shutil
import subprocess

import pytest


def require_namespaces():
    """Skip where hosts cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if not shutil.which("ip"):
        pytest.skip("the command ip (Debian: iproute2) is missing")
    if ip("link", "add", "tsuprobe", "type", "bridge", check=False):
        pytest.skip("this kernel or container lets nobody make a bridge")
    ip("link", "del", "tsuprobe")


def ip(*arguments, check=True):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert not (check and done.returncode), done.stderr
    return done.returncode


class Network:
    """A bridge at ``address`` and one namespace for each name, all of one subnet that nothing else uses.

    Args:
        names: of the hosts, three letters at most.
    """

    def __init__(self, names):
        self._tag = f"{os.getpid() % 46656:x}"
        self._subnet = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self.address = f"{self._subnet}.1"
        self.addresses = {name: f"{self._subnet}.{10 + n}" for n, name in enumerate(names)}

    def __enter__(self):
        ip("link", "add", self._bridge, "type", "bridge")
        try:
            ip("address", "add", f"{self.address}/24", "dev", self._bridge)
            ip("link", "set", self._bridge, "up")
            for name, address in self.addresses.items():
                host, link = self.host(name), self._link(name)
                ip("netns", "add", host)
                ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", host)
                ip("link", "set", link, "master", self._bridge, "up")
                ip("-n", host, "address", "add", f"{address}/24", "dev", "eth0")
                ip("-n", host, "link", "set", "eth0", "up")
                ip("-n", host, "link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in self.addresses:
            ip("netns", "del", self.host(name), check=False)
            ip("link", "del", self._link(name), check=False)
        ip("link", "del", self._bridge, check=False)

    def host(self, name):
        """The namespace of a host."""
        return f"tsu{self._tag}{name}"

    def cut(self, name):
        ip("link", "set", self._link(name), "down")

    def mend(self, name):
        ip("link", "set", self._link(name), "up")

    @property
    def _bridge(self):
        return f"tsu{self._tag}br"

    def _link(self, name):
        return f"tsu{self._tag}l{name}"
