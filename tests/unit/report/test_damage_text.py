"""The Japanese of everything that the account of a capture may say of it."""

import re
from pathlib import Path

import pytest

import tsubame.capture
from tsubame.capture.accounting import Accounting
from tsubame.report.damage_text import damage_in_japanese

CAPTURE = Path(tsubame.capture.__file__).parent


def test_an_account_is_told_in_japanese():
    said = Accounting(records_read=2, damaged_record=2, truncated_tail=1, unread_bytes=3).damage()
    assert damage_in_japanese(said) == "破損した記録2件、記録の途中で終わっている、3バイトを読み取れず"
    assert damage_in_japanese("") == ""


def reasons():
    """Every reason for which the readers stop, as their code writes it, with numbers for what is filled in."""
    for path in sorted(CAPTURE.glob("*.py")):
        for match in re.finditer(r'self\._stop\(f?"([^"]+)"', path.read_text(encoding="utf-8")):
            yield re.sub(r"\{[^}]*\}", "17", match[1]) + " at byte 88"
    yield "limit of 17 records reached, the rest not read, at byte 88"


@pytest.mark.parametrize("reason", sorted(set(reasons())))
def test_every_reason_has_its_japanese(reason):
    said = damage_in_japanese(reason)
    assert "88バイト目" in said
    assert not re.search(r"[a-z]{2}", said)


def test_what_a_library_said_is_quoted():
    assert damage_in_japanese("Error -3 while decompressing") == (
        "圧縮データを展開できない箇所がある（Error -3 while decompressing）"
    )
