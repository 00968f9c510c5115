"""How much of a ranking is printed, and from which rank on a previous rank is only said to be outside."""

from __future__ import annotations

PRINTED_RANKS = 5
PORT_CUTOFF = 10
REGION_CUTOFF = 5
