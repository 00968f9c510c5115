"""The check of infra/ finds what it is for; certificates and secrets are what they should be."""

import json
import shutil
import stat
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from infra.airflow.services import POOLS
from infra.compose.make_secrets import make_secrets
from infra.dask.certificates import ROLES, make_certificates, make_server_certificates
from infra.s3.configuration import read_keys
from infra.scripts import check_infra

INFRA = Path(__file__).resolve().parents[2] / "infra"


def test_nothing_is_wrong_with_what_there_is(capsys):
    assert check_infra.main() == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("tls://dask-scheduler:8786\n    AIR", "tls://dask-planner:8786\n    AIR", "dask-planner, which is no service"),
        ("https://s3:9000", "https://s3:9001", "port 9001 of s3"),
        ("  airflow_jwt: {file", "  airflow_jvt: {file", "secret airflow_jwt is not declared"),
        ("{postgres: {condition", "{postgers: {condition", "depends on postgers"),
        (
            "dockerfile: infra/images/s3.Dockerfile",
            "dockerfile: infra/images/s4.Dockerfile",
            "s4.Dockerfile does not exist",
        ),
        ("postgres:16.10-bookworm", "postgres:latest", "postgres:latest is not pinned"),
        ("TSUBAME_TIMEZONE: Asia/Tokyo", "AWS_SECRET_ACCESS_KEY: abc", "AWS_SECRET_ACCESS_KEY looks like a secret"),
        ("../dask/dask.yaml, target", "../dask/dusk.yaml, target", "dusk.yaml does not exist"),
        ("  spill: {}\n", "", "volume spill is not declared"),
        ("127.0.0.1:8080:8080", "8080:8080", "is open beyond this host"),
        ("  read_only: true\n  tmpfs", "  tmpfs", "may write to its image"),
        ("cap_drop: [ALL]", "cap_drop: [NET_RAW]", "keeps capabilities"),
    ],
)
def test_a_wrong_name_in_the_compose_file_is_found(tmp_path, old, new, says):
    shutil.copytree(INFRA, tmp_path / "infra", ignore=shutil.ignore_patterns("__pycache__", "secrets"))
    path = tmp_path / "infra" / "compose" / "compose.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert any(says in fault for fault in check_infra.compose_faults(path))


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("base/kustomization.yaml", "  - dask-worker.yaml\n", "", "dask-worker.yaml is not listed"),
        (
            "base/dask-worker.yaml",
            "kind: Deployment, name: dask-worker",
            "kind: Deployment, name: dask-werker",
            "scales dask-werker",
        ),
        (
            "base/dask-scheduler.yaml",
            "selector: {app: tsubame, part: dask-scheduler}",
            "selector: {app: x}",
            "no pod has the labels",
        ),
        ("base/settings.yaml", "worker-ttl: 20s", "worker-ttl: 30s", "differs from infra/dask/dask.yaml"),
        ("base/settings.yaml", "s3://tsubame-lake", "s3://tsubame-pond", "TSUBAME_LAKE_URL is not s3://tsubame-lake"),
        (
            "base/dask-worker.yaml",
            "secretName: s3-lake-writer",
            "secretName: s3-writer",
            "nobody makes the secret s3-writer",
        ),
        ("airflow-values.yaml", "part: airflow", "part: airflaw", "no pod has the labels"),
        ("base/dask-worker.yaml", "runAsNonRoot: true, ", "", "may run as root"),
        ("base/dask-worker.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "may write to its"),
        ("base/dask-worker.yaml", ", seccompProfile: {type: RuntimeDefault}", "", "no seccomp profile"),
        ("base/dask-worker.yaml", "drop: [ALL]", "drop: [NET_RAW]", "keeps capabilities"),
        ("base/dask-worker.yaml", "limits: {memory: 4Gi}", "limits: {cpu: 1}", "no limit of memory"),
        ("base/dask-worker.yaml", "spec:\n  selector", "spec:\n  replicas: 2\n  selector", "undoes the scaling"),
        ("base/dask-worker.yaml", 'requests: {cpu: "1", ', "requests: {", "requests no cpu to measure by"),
        ("base/dask-worker.yaml", "emptyDir: {sizeLimit: 20Gi}", "hostPath: {path: /}", "mounts a path of its host"),
        ("base/dask-worker.yaml", "maxReplicas: 20", "maxReplicas: 2", "scales from 2 to 2"),
        (
            "base/network-policies.yaml",
            "podSelector: {}",
            "podSelector: {matchLabels: {part: airflow}}",
            "nothing closes",
        ),
    ],
)
def test_a_wrong_name_in_the_manifests_is_found(tmp_path, file, old, new, says):
    shutil.copytree(INFRA / "kubernetes", tmp_path / "kubernetes")
    path = tmp_path / "kubernetes" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert any(says in fault for fault in check_infra.kubernetes_faults(tmp_path / "kubernetes"))


def test_policies_grow_by_role_and_nobody_deletes_from_the_site():
    def allowed(name):
        statements = json.loads((INFRA / "policies" / f"{name}.json").read_text())["Statement"]
        return {(a, r) for s in statements for a in s["Action"] for r in s["Resource"] if s["Effect"] == "Allow"}

    reader, writer, publisher = map(allowed, ("capture-reader", "lake-writer", "site-publisher"))
    assert reader < writer < publisher
    assert not [a for a, r in reader if a not in ("s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation")]
    assert {r for a, r in publisher if a == "s3:DeleteObject"} == {"arn:aws:s3:::tsubame-lake/*"}
    assert not [r for a, r in publisher if a == "s3:PutObject" and "captures" in r]
    assert {r for _, r in allowed("capture-uploader")} == {"arn:aws:s3:::tsubame-captures/SENSOR_ID/*"}


def test_certificates_are_of_one_authority_and_private(tmp_path):
    make_certificates(tmp_path / "tls", days=30)
    authority = x509.load_pem_x509_certificate((tmp_path / "tls" / "ca.pem").read_bytes())
    for role in ROLES:
        path = tmp_path / "tls" / f"{role}.pem"
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        certificate.verify_directly_issued_by(authority)
        assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 30
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "tls" / "ca.key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN EC PRIVATE KEY-----",
        "postgresql://airflow:hunter22@db/airflow",
        "password: correcthorse",
        "AKIAIOSFODNN7EXAMPLE",
    ],
)
def test_what_looks_like_a_secret_is_found(tmp_path, text):
    (tmp_path / "overlay.yaml").write_text(f"a: 1\nb: {text}\n")
    assert ["looks like a secret" in fault for fault in check_infra.secret_faults(tmp_path)] == [True]


def test_servers_are_known_by_name_and_their_authority_opens_nothing_of_dask(tmp_path):
    make_server_certificates(tmp_path / "servers", {"postgres": ("postgres", "127.0.0.1")})
    make_certificates(tmp_path / "dask")
    dask, servers = (
        x509.load_pem_x509_certificate((tmp_path / name / "ca.pem").read_bytes()) for name in ("dask", "servers")
    )
    certificate = x509.load_pem_x509_certificate((tmp_path / "servers" / "postgres.pem").read_bytes())
    certificate.verify_directly_issued_by(servers)
    with pytest.raises((ValueError, InvalidSignature)):
        certificate.verify_directly_issued_by(dask)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["postgres"]


def test_compose_secrets_are_all_made_once(tmp_path):
    declared = yaml.safe_load((INFRA / "compose" / "compose.yaml").read_text())["secrets"]
    assert sorted(make_secrets(tmp_path)) == sorted(declared)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert make_secrets(tmp_path) == []
    (tmp_path / "s3_secret").unlink()
    assert sorted(make_secrets(tmp_path)) == ["aws_credentials", "s3_secret"]
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"aws_credentials", "s3_secret"}
    assert after["s3_secret"] in after["aws_credentials"]
    assert after["postgres_password"] in after["airflow_database"]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_the_stores_secrets_are_one_or_several_keys():
    one, other = "a" * 20, "B-_9" * 6
    assert read_keys(f"{one}\n") == {"admin": one}
    assert read_keys(f"{one}\n\nnext {other}\n") == {"admin": one, "next": other}
    assert read_keys(f"next {other}") == {"next": other}
    for wrong in ("", "short", f"{one}\n{other}", f"next {one}\nnext {other}", f"a_b {one}", f"next x {one}"):
        with pytest.raises(ValueError, match=r"^(line \d: a name, once|there is no secret)") as caught:
            read_keys(wrong)
        assert one not in str(caught.value)


def _read(path):
    return yaml.safe_load((INFRA / path).read_text(encoding="utf-8"))


def test_deployments_make_the_pool_that_dags_wait_for():
    # A task of a pool that there is not is never started.
    ((name, (slots, _)),) = POOLS.items()
    makes = f"airflow pools get {name} || airflow pools set {name} {slots} "
    compose = _read("compose/compose.yaml")["services"]["airflow-migrate"]["command"]
    chart = _read("kubernetes/airflow-values.yaml")["migrateDatabaseJob"]["args"]
    for command in (compose, chart):
        assert command[:2] == ["bash", "-c"]
        assert command[2].startswith(f"airflow db migrate && {{ {makes}")


def test_what_airflow_writes_to_is_no_secret():
    # SimpleAuthManager opens its passwords for writing, even if there is nothing to write.
    api = _read("compose/compose.yaml")["services"]["airflow-api"]
    assert not api["environment"]["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"].startswith("/run/secrets/")
    assert "cat /run/secrets/airflow_passwords > " in api["command"][2]
