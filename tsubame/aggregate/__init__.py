"""Packet columns -> flows (one object per capture) -> counts and sources (one object per report day)."""
