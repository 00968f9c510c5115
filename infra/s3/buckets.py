"""The buckets of a deployment: the same names in ``make s3``, the demo, the compose file and the policies."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

BUCKETS = ("tsubame-captures", "tsubame-delegations", "tsubame-lake", "tsubame-site")


def urls() -> dict[str, str]:
    """Return the settings that point at the buckets."""
    return {f"TSUBAME_{name.partition('-')[2].upper()}_URL": f"s3://{name}" for name in BUCKETS}


def make_buckets(environment: Mapping[str, str], names: Iterable[str]) -> None:
    """Make the buckets that are not there yet.

    Args:
        environment: endpoint, keys and region, as botocore names them.
    """
    from botocore.session import get_session

    # What is not given is found where botocore looks: a credentials file, say.
    client = get_session().create_client(
        "s3",
        endpoint_url=environment.get("AWS_ENDPOINT_URL_S3"),
        aws_access_key_id=environment.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environment.get("AWS_SECRET_ACCESS_KEY"),
        region_name=environment["AWS_REGION"],
    )
    try:
        there = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
        for name in names:
            if name not in there:
                client.create_bucket(
                    Bucket=name, CreateBucketConfiguration={"LocationConstraint": environment["AWS_REGION"]}
                )
    finally:
        client.close()


if __name__ == "__main__":
    make_buckets(os.environ, BUCKETS)
