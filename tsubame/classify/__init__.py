"""Packet columns -> kind (scan, backscatter, other) and tool (mirai, zmap, ...).

``rules`` is the registry: each rule with its source, its caveat and its validity. ``apply`` evaluates it on blocks, and
confirms the sources for which a single packet is no evidence.
"""
