"""May a quarter be published? Great Expectations' suites run on the quarter's tables give a verdict.

``frames`` lays out what is validated, one frame a suite; ``suites`` runs them (the only place that imports
Great Expectations, when it is called); ``docs`` makes the static Data Docs; ``verdict`` is what comes out;
``quarter.validate_quarter`` joins them. The expectations themselves are in ``expectations/``.
"""
