"""What documents tell people to type is what the command line takes, and the settings they name are read somewhere."""

import re
import shlex
from pathlib import Path

import pytest

from tsubame.cli.main import build_parser

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([
    *(CHECKOUT / "infra" / "runbooks").glob("*.md"), *(CHECKOUT / "dags").glob("*.py"), CHECKOUT / "README.md",
    CHECKOUT / "CONTRIBUTING.md",
])  # fmt: skip
FOR_EXAMPLE = {
    "DAY": "2023-01-31",
    "QUARTER": "2023Q1",
    "FILE": "delegated-arin-extended-20230101",
    "DATE": "2023-01-21",
}
CODE = [
    path.read_text(encoding="utf-8")
    for folder in ("tsubame", "plugins", "infra", "expectations")
    for path in (CHECKOUT / folder).rglob("*.py")
]


def spans(document: Path) -> list[str]:
    text = document.read_text(encoding="utf-8")
    typed = re.findall(r"^\$ (.*?)(?:\s+#.*)?$", text, re.MULTILINE)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)] + typed


def commands(document: Path) -> list[str]:
    """The calls of ``tsubame`` in a document; what is cut short or has a choice in it is no command yet."""
    parts = (part.strip() for span in spans(document) for part in span.split("&&"))
    return [part for part in parts if re.match(r"tsubame \w", part) and not re.search(r"[…|\[<]|\.\.\.", part)]


def test_documents_hold_commands():
    assert sum(len(commands(document)) for document in DOCUMENTS) > 10


def complaint(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command line says against a command; told without its arguments, its name must exist."""
    words = [FOR_EXAMPLE.get(word, word) for word in shlex.split(command)[1:]]
    try:
        build_parser().parse_args(words)
    except SystemExit as refused:
        said = capsys.readouterr().err
        return "" if refused.code == 0 or "required" in said else f"{command}: {said}"
    return ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_command_is_one(document, capsys):
    assert [said for command in commands(document) if (said := complaint(command, capsys))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_setting_is_read(document):
    for name in set(re.findall(r"\bTSUBAME_[A-Z_]+[A-Z]\b", document.read_text(encoding="utf-8"))):
        # Some are put together: of a place's name, or a registry's.
        assert any(name in text or name.removeprefix("TSUBAME_") in text for text in CODE), f"{document.name}: {name}"
