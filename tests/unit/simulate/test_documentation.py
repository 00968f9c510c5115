from __future__ import annotations

from pathlib import Path

from tsubame.simulate.documentation import describe_format

README = Path(__file__).parents[3] / "tsubame" / "simulate" / "README.md"


def test_the_readme_is_what_the_dataclasses_say():
    """Mend it with: python -m tsubame.simulate.documentation > tsubame/simulate/README.md"""
    assert README.read_text(encoding="utf-8") == describe_format()
