"""Every command called wrongly: one line on stderr, the contract's exit status, never a traceback."""

import pytest

from tsubame.cli.main import COMMANDS, main

SENSORS = "sensor_id,address,country,active_from,active_to\njp-1,203.0.113.7,JP,2021-10-01,\n"


@pytest.fixture(autouse=True)
def world(tmp_path, monkeypatch):
    """A sensor registry and an empty bucket."""
    for name in ("CAPTURES", "DELEGATIONS", "LAKE", "SITE"):
        monkeypatch.setenv(f"TSUBAME_{name}_URL", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "captures").mkdir()
    (tmp_path / "captures" / "sensors.csv").write_text(SENSORS)


def call(words, capsys):
    """Return the exit status and what was said on stderr, argparse's own usage left out."""
    try:
        status = main(words.split())
    except SystemExit as end:
        status = end.code
    said = capsys.readouterr().err.splitlines()
    return status, [line for line in said if line.startswith("tsubame")]


@pytest.mark.parametrize("command", [*COMMANDS, "delegations fetch", "delegations import", "delegations moves"])
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([*command.split(), "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: tsubame {command}")


@pytest.mark.parametrize(
    "words",
    [
        "", "nosuch", "decode", "decode x --max-records x", "decode x --sensor 1.2.3",
        "simulate 2023Q1 --scale x", "simulate 2023Q1 --scale nan", "simulate 2023Q1 --scale 0",
        "simulate 2023Q1 --seed x", "simulate 2023Q1 --seed -1",
        "ingest --from 2023-01-02 --to 2023-01-01", "ingest --from 2023-02-30 --to 2023-03-01",
        "ingest --from 0001-01-01 --to 2023-01-01", "count --from 2023-01-01 --to 9999-12-31",
        "report 2023Q5", "run 23Q1", "run 1969Q4", "report 9999Q4",
        "status --from 2023-01-02 --to 2023-01-01", "status --to 0001-01-01", "status --from 9999-12-31",
        "status --quarters x", "status --quarters 2023Q2..2023Q1", "status --quarters 2023Q1 --from 2023-01-01",
        "delegations moves 2023-01-02 2023-01-01", "delegations moves x y",
        "delegations moves 2023-01-01 2023-01-02 --from NLX", "delegations moves 2023-01-01 2023-01-02 --to ÄÄ",
        "delegations fetch --to 2023-01-01", "delegations fetch --day 9998-01-01",
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_a_usage_error(words, capsys):
    status, lines = call(words, capsys)
    assert status == 2
    assert len(lines) == 1
    assert "_number" not in lines[0]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("simulate nosuch", 3), ("delegations import nofile", 3), ("delegations import .", 3), ("decode . nofile", 3),
        ("delegations moves 2023-01-01 2023-01-02", 4), ("report 2099Q1", 4),
        ("status --from 1970-01-01 --to 1970-01-02", 4), ("status --from 9998-12-30 --to 9998-12-31", 4),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said_in_a_line_each(words, expected, capsys):
    status, lines = call(words, capsys)
    assert status == expected
    assert len(lines) == words.count("nofile") + words.count(" .") or len(lines) == 1


def test_what_nobody_foresaw_is_still_one_line(monkeypatch, capsys):
    def fail(_):
        raise KeyError("x\ny")

    monkeypatch.setattr("tsubame.cli.status.run", fail)
    assert call("status", capsys) == (
        1,
        ["tsubame: a defect of tsubame: KeyError: 'x\\ny'. Report it with what TSUBAME_TRACEBACK=1 shows."],
    )
    monkeypatch.setenv("TSUBAME_TRACEBACK", "1")
    with pytest.raises(KeyError):
        main(["status"])
