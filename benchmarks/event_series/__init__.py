"""Simulated daily series with known events, of many kinds of noise: what ``benchmarks/events.py`` measures with."""
