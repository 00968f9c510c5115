"""Great Expectations suites and custom expectations: what must hold before a result is published."""
