"""A scenario file becomes captures, a sensor registry, delegation files and the truth about them.

Read in this order::

    scenario    what a scenario may say: dataclasses, each field documented and checked
    reading     TOML -> scenario; every mistake named by file and key
    world       who holds which IPv4 addresses on which day
    delegations the registries' files of a day, as bytes
    traffic     how many packets of which stream each sensor sees each day; who sends them
    packets     IPv4 packets as bytes, with the marks that real tools leave, and right checksums
    containers  packets -> pcap or pcapng, link headers, compression
    truth       what was put in: read by tests only
    run         all of it, into two stores

Everything follows from the scenario, the scale and the seed: the same bytes each time.
"""
