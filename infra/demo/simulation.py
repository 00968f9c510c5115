"""The simulation as a process of its own, so that Airflow can start meanwhile.

``python -m infra.demo.simulation SCENARIO SCALE`` prints one JSON line about each step.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from infra.airflow.configuration import CHECKOUT, Deployment
from tsubame.errors import TsubameError

_SECONDS_BETWEEN_LINES = 4.0


class SimulationFailed(TsubameError):
    """The simulation ended with an error; carries its exit status."""

    def __init__(self, what: str, exit_status: int) -> None:
        super().__init__(what)
        self.exit_status = exit_status


@dataclass(slots=True)
class Simulation:
    """A running simulation.

    Attributes:
        made: whether anything had to be made, once it has ended; False when all was there already.
    """

    scenario: str
    scale: str
    deployment: Deployment
    tell: Callable[[str], None]
    made: bool = False
    _said: str = ""
    _process: subprocess.Popen[str] = field(init=False)
    _reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "infra.demo.simulation", self.scenario, self.scale],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=dict(self.deployment.environment), cwd=CHECKOUT, start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def check(self) -> None:
        """Look whether it has failed.

        Raises:
            SimulationFailed: with the simulation's own message.
        """
        if self._process.poll():
            self._reader.join(timeout=5)
            raise SimulationFailed(self._said or "the simulation failed", max(1, self._process.returncode))

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None or self._reader.is_alive()

    def _read(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        next_line = 0.0
        for line in self._process.stdout:
            step = json.loads(line)
            self.made = self.made or step["made"]
            if time.monotonic() >= next_line and step["total"] > 1:
                self.tell(f"simulating {self.scenario}: {step['stage']} {step['done']} of {step['total']}")
                next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
        self._said = self._process.stderr.read().strip().rpartition("\n")[2].removeprefix("tsubame: ")


def main(scenario: str, scale: str) -> int:
    """Simulate into the settings' buckets, telling each step; returns the exit status."""
    from tsubame.errors import UsageError
    from tsubame.settings import Settings
    from tsubame.simulate.reading import load_scenario
    from tsubame.simulate.run import simulate
    from tsubame.stores import Store

    def progress(stage: str, done: int, total: int) -> None:
        # The stage "simulate" is told only when there was nothing to do.
        step = {"stage": stage, "done": done, "total": total, "made": stage != "simulate"}
        print(json.dumps(step), flush=True)

    try:
        try:
            factor = float(scale)
        except ValueError:
            raise UsageError("not a scale", key="SCALE", expected="a number above 0", actual=scale) from None
        settings = Settings.from_environment()
        stores = Store(settings.captures_url), Store(settings.delegations_url)
        simulate(load_scenario(scenario), *stores, scale=factor, progress=progress)
    except TsubameError as error:
        print(f"tsubame: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
