import functools
import http.server
import threading
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from tsubame.analysis.explore import EXPLORER, ExplorerRows
from tsubame.periods import Quarter
from tsubame.publish.editions import build_edition, publish_edition
from tsubame.stores import Store

QUARTER = Quarter(2023, 1)
DOWN = 40
"""Place of a day on which no domestic sensor was up."""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def serve():
    """Return a function that serves a folder on loopback and gives its URL."""
    servers = []

    def start(folder):
        handler = functools.partial(QuietHandler, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def explored():
    """Return rows to explore: five ports, five regions, a block that moved, a day without a domestic sensor."""
    rng = np.random.default_rng(5)
    rows = []
    for place, day in enumerate(QUARTER.days):
        for protocol, port in [(6, 23), (6, 37215), (17, 53), (1, 0), (None, None)]:
            for region in ["CN", "GB", "JP", "NL", "other"]:
                pinned = "GB" if region == "NL" and place > 20 else region
                for tool in ("", "mirai"):
                    for domestic in (True, False):
                        if not (domestic and place == DOWN):
                            packets = int(rng.integers(1, 900))
                            rows.append((day, domestic, protocol, port, region, pinned, tool, packets))
    columns = [list(each) for each in zip(*rows, strict=True)]
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, EXPLORER, strict=True)], schema=EXPLORER)
    up = tuple(0 if place == DOWN else 9 for place in range(len(QUARTER.days)))
    return ExplorerRows(table, up, (4,) * len(QUARTER.days))


@pytest.fixture(scope="session")
def site(layouts, explored, tmp_path_factory):
    """Return the folder of a site with one edition."""
    folder = tmp_path_factory.mktemp("site")
    edition = build_edition(layouts.analysis_2023q1(), layouts.make_context(), networks=[], explorer=explored)
    publish_edition(
        Store(str(folder)), QUARTER, edition.files, created_at=datetime(2023, 4, 14, tzinfo=UTC), networks=[]
    )
    return folder
