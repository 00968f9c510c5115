# The S3 service that the tests run against (OpenStack Swift with s3api), for a deployment on one host.
# Build from the checkout's root: docker build -f infra/images/s3.Dockerfile -t tsubame-s3:0.1.0 .
FROM python:3.11.14-slim-bookworm AS build

COPY infra/uv.lock.txt infra/s3/swift.lock.txt /build/
RUN python -m pip install --no-cache-dir --require-hashes -r /build/uv.lock.txt \
 && uv venv /opt/swift \
 && uv pip sync --no-cache --compile-bytecode --python /opt/swift/bin/python --require-hashes /build/swift.lock.txt


FROM python:3.11.14-slim-bookworm

RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tsubame \
 && install -d -o tsubame -g tsubame -m 0700 /var/lib/tsubame-s3
COPY --from=build /opt/swift /opt/swift
COPY infra/s3/servers.py infra/s3/remembering.py infra/s3/configuration.py infra/s3/contained.py /srv/s3/

ENV PYTHONUNBUFFERED=1 TZ=UTC
USER 10001:10001
WORKDIR /var/lib/tsubame-s3
VOLUME /var/lib/tsubame-s3
EXPOSE 9000
CMD ["/opt/swift/bin/python", "/srv/s3/contained.py"]
