"""``python -m infra.airflow``: Airflow's services until Ctrl-C; with arguments, ``airflow`` itself.

``python -m infra.airflow backfill create --dag-id report_quarter …`` runs Airflow's own command with the
settings that the services run with.
"""

from __future__ import annotations

import os
import sys

from infra.airflow.configuration import CHECKOUT, USER, deploy
from infra.airflow.services import (
    Interrupted,
    Services,
    airflow_command,
    interruptible,
    run_until_interrupted,
)
from infra.postgres.configured import running_database
from tsubame.errors import TsubameError
from tsubame.settings import load_dotenv


def main(arguments: list[str]) -> int:
    """Run the services, or one ``airflow`` command; returns the exit status."""
    try:
        if arguments:
            command = airflow_command(*arguments)
            os.execve(command[0], command, dict(deploy().environment))
        load_dotenv(CHECKOUT / ".env")
        with interruptible(), running_database(os.environ, say) as check_database:
            deployment = deploy()
            with Services(deployment, tell=say) as services:
                services.start()
                say(f"user {USER}, password in {deployment.password_file}; Ctrl-C stops everything")
                run_until_interrupted(services, check_database)
    except Interrupted as signalled:
        return 128 + signalled.number
    except TsubameError as error:
        print(f"tsubame: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
