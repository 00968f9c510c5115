"""A real S3 service on loopback: OpenStack Swift with its s3api middleware, in an environment of its own.

It checks signatures and access rights, pages its listings, keeps every object it has acknowledged through a
``kill -9``, and comes from the package index alone. ``make s3`` runs it; tests start it by ``S3Service``.
"""
