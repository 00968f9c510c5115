"""From counts to what a report can state, each number with its window, formula and interval.

Read in this order: ``cubes`` (a day's counts reduced to what the rest needs, and merged over a quarter),
``series`` (values by day, exposure), ``ratios``, ``uncertainty``, ``ranking``, ``reassignment``,
``templates``, ``noise``, ``search`` and ``events``, ``signatures``, ``overlap``, ``contribution``,
``quarter`` (all of it together) and ``results`` (what comes out). Everything here is pure and deterministic.
"""
