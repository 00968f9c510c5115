"""``tsubame simulate``: what it prints and how it ends."""

from __future__ import annotations

import json

import pytest

from tsubame.cli.main import main


@pytest.fixture
def stores(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TSUBAME_CAPTURES_URL", str(tmp_path / "c"))
    monkeypatch.setenv("TSUBAME_DELEGATIONS_URL", str(tmp_path / "d"))
    monkeypatch.delenv("TSUBAME_SENSORS_URL", raising=False)
    return tmp_path


def test_it_says_what_it_wrote_and_where(stores, scenarios, capsys):
    assert main(["simulate", str(scenarios / "tiny.toml"), "--scale", "0.5"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("tiny, 2023-01-14 to 2023-01-28: ")
    assert str(stores / "c") in out
    assert out.count("\n") == 1
    assert main(["simulate", str(scenarios / "tiny.toml"), "--scale", "0.5", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    truth = json.loads((stores / "c" / "truth.json").read_bytes())
    assert said["packets"] == sum(truth["counts"]["packets"])
    assert said["captures"] == len(list((stores / "c").rglob("*.pcap*")))
    assert (said["scale"], said["seed"]) == (0.5, 3)


@pytest.mark.parametrize("wrong", [["--scale", "0"], ["--scale", "x"], ["--seed", "-1"], ["--seed", "1.5"]])
def test_usage(stores, scenarios, wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["simulate", str(scenarios / "tiny.toml"), *wrong])
    assert ended.value.code == 2
    assert not (stores / "c").exists()


def test_bad_input_is_one_line(stores, capsys):
    (stores / "bad.toml").write_text("title = 1\nfirst = \n")
    assert main(["simulate", "bad.toml"]) == 3
    assert capsys.readouterr().err == "tsubame: bad.toml: is not TOML (Invalid value) at line 2\n"
    assert main(["simulate", "2022Q9"]) == 3
    assert "expected a TOML file or one of 2023Q1, quiet-2024Q2" in capsys.readouterr().err


def test_one_store_for_both_is_refused(stores, scenarios, monkeypatch, capsys):
    monkeypatch.setenv("TSUBAME_DELEGATIONS_URL", str(stores / "c"))
    assert main(["simulate", str(scenarios / "tiny.toml")]) == 2
    assert "need a store each" in capsys.readouterr().err


def test_a_store_below_a_file(stores, scenarios, capsys):
    (stores / "d").write_text("a file")
    assert main(["simulate", str(scenarios / "tiny.toml")]) in (3, 4)
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "Traceback" not in err
