"""From a report to the site: open data, the privacy check, then the edition and last the pointer to it.

Read in this order::

    opendata   the table behind every table and figure, as Parquet and CSV, with a data dictionary
    privacy    refuses files in which a sensor's address can be found
    editions   an edition's files; edition n + 1 only when something changed; the pointer last
    changes    what an edition says otherwise than the one before
"""
