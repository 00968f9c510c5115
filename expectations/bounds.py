"""Every bound of every suite, each with its reason. Nothing here is fitted to one quarter's data."""

from __future__ import annotations

SNAPSHOT_AGE_WARNING_DAYS = 3
"""Registries publish daily; a mirror or a registry's office may rest for a weekend and a day."""

SNAPSHOT_AGE_CRITICAL_DAYS = 92
"""A snapshot older than a quarter says nothing of the quarter's own reassignments."""

SPACE_LOST_WARNING = 0.005
"""Part of a registry's addresses that goes from one snapshot to the next. Registries return blocks one at a
time; 0.5 % of the smallest (AFRINIC, 120 million) is 600,000 addresses, the size of a known glitch."""

SPACE_LOST_CRITICAL = 0.1
"""A file that lost a tenth of its space is a part of a file; no registry ever returned that much at once."""

ADDRESSES = 2**32
"""All there are."""

DAMAGED_SHARE_WARNING = 0.001
"""Damaged records among those read. A sound sensor writes none; one in a thousand means a failing disk or
a broken transfer, and the numbers are still good to their second digit."""

DAMAGED_SHARE_CRITICAL = 0.1
"""With a tenth of the records damaged the second digit of every number is in doubt."""

UNREADABLE_CAPTURES_CRITICAL = 0.1
"""Part of the captures that could not be read to their end, above which a quarter is not representative."""

OUTSIDE_SENSOR_SHARE_WARNING = 0.5
"""More than half of the records not addressed to the sensor: its registry entry is likely wrong."""

UNDELEGATED_SHARE_WARNING = 0.05
"""Packets from space that is in no delegation file. Spoofed sources are a few percent of a telescope's
packets; more means that a registry's file is missing."""

UNDELEGATED_SHARE_CRITICAL = 0.5
"""With most packets without a region a ranking of regions says nothing."""

SENSORS_UP_WARNING = 0.9
"""Part of the sensors expected on a day that were up. Below it means still hold (they divide by sensors up),
but rest on other address space than the days beside them."""

CARRIED_TOLERANCE = 0.001
"""Part of the packets whose region is another than on the quarter's first day that no named block need carry.
Zero is expected; one in a thousand leaves room for a snapshot replaced while days were counted."""

RECOGNISED_FROM = 0.05
"""A pair of regions must be recognised as a reassignment when the packets that parted from one to the other
are at least this part of the smaller region's, on the mean of the days they parted ..."""

RECOGNISED_PACKETS = 1.0
"""... and at least so many per domestic sensor and day."""

EXPLAINED_CARRIED = 0.4
"""Least part of an explained step by which the region's two series must part. The verdict asks for a half, of windows
that leave the move's own days out; the days here begin with the onset, so the two differ by a few percent."""
