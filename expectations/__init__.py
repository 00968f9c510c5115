"""Great Expectations suites and custom expectations: what must hold before a result is published.

``bounds`` holds every number with its reason; ``suites`` has one module per table that is validated; each
other module is one custom expectation. A failed critical expectation refuses publication, a failed warning
is printed with the report. Importing this package imports nothing heavy; its modules import Great
Expectations, and ``tsubame.validation`` imports them when it runs.
"""
