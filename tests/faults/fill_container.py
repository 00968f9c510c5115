"""Enter objects into a container of Swift without storing them: ``fill_container.py DEVICES NAME``, keys on stdin.

Run by Swift's own Python, with Swift's own broker: what is listed is what the real service lists, and 100,000 PUTs at
20 a second need not be waited for.
"""

import sys
from pathlib import Path

from swift.common.utils import Timestamp
from swift.container.backend import ContainerBroker

devices, name = sys.argv[1:]
(broker,) = [
    broker
    for path in Path(devices).glob("d1/containers/*/*/*/*.db")
    if (broker := ContainerBroker(str(path))).get_info()["container"] == name
]
now = Timestamp.now().internal
row = {"created_at": now, "size": 100, "content_type": "application/octet-stream", "etag": "0" * 32, "deleted": 0}
row |= {"storage_policy_index": 0, "ctype_timestamp": None, "meta_timestamp": None}
broker.merge_items([{**row, "name": key} for key in sys.stdin.read().split("\n")])
