"""From packets that nobody asked for to a quarterly report.

The packages are named for the steps of the data path; read them in this order::

    capture      bytes of a capture file -> packet columns, every record accounted for
    classify     packet columns -> kind (scan, backscatter, other) and tool (mirai, zmap, ...)
    aggregate    packet columns -> flows, one object per capture; flows -> counts, one object per day
    regions      the RIRs' delegation files -> the region of any address on any date; moved blocks
    analysis     counts -> ranks, ratios, reassignments, each with its window, formula and interval
    validation   tables -> verdict: publish, publish with a note, or refuse
    report       analysis -> claims, tables, figures, text in Japanese and English
    publish      a finished edition -> the site, edition first, then the pointer to it

``pipeline`` joins the steps to the object stores and to Dask; Airflow's tasks and the command line call
nothing else. ``simulate`` makes captures and delegation files to run it all on. Beneath them lie
``stores`` (object stores), ``keys`` (object key <-> meaning), ``settings``, ``provenance``, ``sensors``,
``schemas`` (every table), ``periods`` (report day and quarter) and ``errors``.

Importing this package imports nothing heavy.
"""

__version__ = "0.1.0"
