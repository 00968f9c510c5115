"""``python -m infra.demo``: ``make demo``.

Settings: ``PORT``, ``SCALE``, ``SCENARIO``, ``STORE``, ``DATABASE``, ``DETACH``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.airflow.configuration import CHECKOUT, USER, Deployment, deploy
from infra.airflow.services import Interrupted, Services, interruptible, require_port, run_until_interrupted
from infra.demo.quarters import Quarters
from infra.demo.simulation import Simulation
from infra.demo.store import configured_store
from infra.postgres.configured import running_database
from tsubame.errors import TsubameError
from tsubame.periods import Quarter
from tsubame.settings import load_dotenv

_BEGAN = time.monotonic()


def main() -> int:
    """Run the demo; returns the exit status."""
    try:
        load_dotenv(CHECKOUT / ".env")
        with (
            interruptible(), configured_store(say) as places, running_database(os.environ, say) as check_database,
        ):  # fmt: skip
            os.environ.update(places)
            # A refused edition ends the demo with its reason: nobody may be there to decide about it.
            os.environ.setdefault("TSUBAME_APPROVAL_HOURS", "0")
            deployment = deploy()
            require_port(deployment.port)
            publish(deployment, check_database)
    except Interrupted as signalled:
        say("interrupted; run it again to go on")
        return 128 + signalled.number
    except TsubameError as error:
        print(f"tsubame: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def publish(deployment: Deployment, check_database: Callable[[], None]) -> None:
    """Run Airflow until every quarter is published, and then until interrupted, unless ``DETACH`` is set."""
    with Services(deployment, tell=say) as services:
        editions = run(services)
        tell_where(editions, deployment)
        if not _detached():
            say("Airflow stays up; Ctrl-C stops everything")
            run_until_interrupted(services, check_database)


def run(services: Services) -> list[dict[str, Any]]:
    """Simulate, start Airflow meanwhile, and have the quarters run; returns the editions."""
    from tsubame.simulate.reading import load_scenario

    scenario = load_scenario(os.environ.get("SCENARIO") or "2023Q1")
    wanted = list(_quarters(Quarter.of(scenario.first), Quarter.of(scenario.last)))
    say(f"simulating {scenario.name} ({scenario.first} to {scenario.last}) while Airflow starts")
    simulation = Simulation(
        os.environ.get("SCENARIO") or "2023Q1", os.environ.get("SCALE") or "1", services.deployment, say
    )
    services.leave_to_starter(simulation.pid)

    def hold(_: Any) -> None:
        # Runs that an interrupted demo left must not begin before all captures are there.
        simulation.check()
        if simulation.running:
            quarters.pause_if_known()

    quarters = Quarters(services, wanted, say)
    services.start(before_scheduling=hold)
    published = quarters.are_published()
    if not published:
        quarters.create()
    while simulation.running:
        services.check()
        simulation.check()
        time.sleep(0.2)
    simulation.check()
    say("all captures are there" if simulation.made else "all captures were there already")
    if published and not simulation.made:
        say("every quarter was published already: nothing to do")
        return quarters.editions()
    if published:
        quarters.create()
    quarters.pause(False)
    say(f"the scheduler runs {', '.join(map(str, wanted))}")
    return quarters.watch()


def tell_where(editions: list[dict[str, Any]], deployment: Deployment) -> None:
    """Say where the reports and Airflow are."""
    say("")
    for edition in editions:
        print(f"  report {edition.get('quarter', '')}, edition {edition.get('edition', '')}: {_opened(edition)}")
    if not _detached():
        print(f"  Airflow: {deployment.url}  user {USER}  password {deployment.password}")
    sys.stdout.flush()


def _opened(edition: dict[str, Any]) -> str:
    url = str(edition.get("url", ""))
    page = url if url.endswith(".html") else f"{url.rstrip('/')}/index.html"
    return page if "://" in page else Path(page).resolve().as_uri()


def _quarters(first: Quarter, last: Quarter) -> list[Quarter]:
    quarters = [first]
    while quarters[-1] < last:
        quarters.append(quarters[-1].next)
    return quarters


def _detached() -> bool:
    return os.environ.get("DETACH", "").strip().lower() in ("1", "true", "yes")


def say(line: str) -> None:
    """Print a line with the seconds since the beginning."""
    print(f"[{time.monotonic() - _BEGAN:5.0f} s] {line}" if line else "", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
