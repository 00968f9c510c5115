"""Makes a certificate authority and the certificates of scheduler, workers and clients.

``python -m infra.dask.certificates FOLDER [DAYS]``. Dask's connections need one from both sides: whoever has no
certificate of this authority can neither join nor ask. Keep ``ca.key`` away from the hosts; to rotate, run it again
into a new folder.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROLES = ("scheduler", "worker", "client")
_EARLIER = timedelta(hours=1)
"""Clocks of hosts differ a little."""


def make_certificates(folder: Path, *, days: int = 365, now: datetime | None = None) -> None:
    """Write Dask's ``ca.pem``, ``ca.key`` and for each role ``<role>.pem``: certificate and key, for their owner alone.

    Args:
        folder: is made where it is not there.
        days: that the certificates are good for.
        now: instant they begin at.
    """
    _make(folder, "tsubame-dask-ca", dict.fromkeys(ROLES, ()), days, now)


def make_server_certificates(folder: Path, hosts: Mapping[str, Sequence[str]], *, days: int = 365) -> None:
    """Write the same for servers that clients know by their host names, from an authority that opens nothing of Dask.

    Args:
        folder: is made where it is not there.
        hosts: names of each server, the first being the subject.
        days: that the certificates are good for.
    """
    _make(folder, "tsubame-servers-ca", hosts, days, None)


def _make(
    folder: Path, authority_name: str, subjects: Mapping[str, Sequence[str]], days: int, now: datetime | None
) -> None:
    begin = now or datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = (
        _builder(authority_name, authority_name, authority_key, begin, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write_private(folder / "ca.pem", authority.public_bytes(serialization.Encoding.PEM))
    _write_private(folder / "ca.key", _private(authority_key))
    for subject, names in subjects.items():
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(subject, authority_name, key, begin, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_host(name) for name in names]), critical=False
            ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        content = builder.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        _write_private(folder / f"{subject}.pem", content + _private(key))


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, begin: datetime, days: int
) -> x509.CertificateBuilder:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    return (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - _EARLIER)
        .not_valid_after(begin + timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=signs, crl_sign=signs, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        raise SystemExit(__doc__)
    make_certificates(Path(sys.argv[1]), days=int(sys.argv[2]) if len(sys.argv) == 3 else 365)
