"""The region an address is delegated to, on any date, from the five registries' delegation files.

In the order of the data path::

    fields       bytes of a text file -> lines, fields, numbers, addresses, all at once
    records      the record lines -> Arrow tables
    delegated    a delegation file -> its records as Arrow tables, every malformed line by its number
    checks       whether a file may be used: MD5, end, registry, date
    emit         records -> a delegation file
    overlaps     which of several records of an address is believed
    table        records of the registries -> one gapless table of intervals over all 2**32 addresses
    blocks       other sources of such a table: lists of country and CIDR block
    lookup       addresses -> region codes, by a table of /24 blocks
    changes      two tables -> where they differ
    moves        two tables, or a quarter of them -> the blocks that changed region
    snapshots    which files are in force on a day
    glitches     which of a file's changes its neighbours contradict
    patches      a file without those
"""
