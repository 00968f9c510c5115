"""From an analysis to something to read: claims, tables, figures, pages, the machine-readable document.

Read in this order::

    names      labels of ports (IANA) and regions (CLDR and the report's usage)
    context    what a report says beside its analysis: when, from what, how checked
    claims     what the quarter's numbers allow to be said      narrative   the sentences, Japanese and English
    tables     rows of plain values
    axes       what all figures have in common
    figures    drawings, SVG and PNG (the only seaborn import)
    document   report.json and its JSON Schema
    pages      index.html of an edition and of the site
"""
