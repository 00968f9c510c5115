"""Look addresses up with pytricia: ``python pytricia_lookup.py FOLDER`` with starts.npy, codes.npy, addresses.npy.

Prints its CPU seconds, and writes what it found to found.npy.
"""

import ipaddress
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytricia

folder = Path(sys.argv[1])
starts, codes, addresses = (np.load(folder / f"{name}.npy") for name in ("starts", "codes", "addresses"))
begin = time.process_time()
tree = pytricia.PyTricia(32)
ends = np.append(starts[1:].astype(np.int64), 2**32) - 1
for start, end, code in zip(starts.tolist(), ends.tolist(), codes.tolist(), strict=True):
    first, last = ipaddress.IPv4Address(start), ipaddress.IPv4Address(end)
    for block in ipaddress.summarize_address_range(first, last):
        tree.insert(int(block.network_address), block.prefixlen, code)
built = time.process_time() - begin
begin = time.process_time()
found = [tree[address] for address in addresses.tolist()]
cpu = time.process_time() - begin
np.save(folder / "found.npy", np.array(found, np.uint16))
print(json.dumps({"cpu": cpu, "built": built}))
