"""Bytes of a capture file -> packet columns, every record accounted for.

In the order of the data: ``compression`` and ``zstd`` inflate, ``window`` slides a buffer over what they give,
``containers`` recognises pcap and pcapng and ``reader`` with ``pcap`` and ``pcapng`` reads them once from start to end.
``walks`` are the compiled loops over a window's records; ``links`` and ``layers`` name the link layers, ``network``,
``wireless`` and ``rarer`` look through them to the network header, ``packets`` decodes it into the columns of
``blocks``. ``accounting`` says what became of every record; README.md, of every odd case. ``compiled`` keeps the
machine code.
"""
