"""Count a day of flows with Polars: ``python polars_counts.py FLOWS REGIONS FROM_MS TO_MS OUT WITH_REGIONS``."""

import json
import sys
import time
from pathlib import Path

import polars as pl

flows, regions, start, end, out, with_regions = sys.argv[1:7]
begin = time.process_time()
table = pl.scan_parquet(f"{flows}/**/*.parquet")
hour = pl.col("hour").cast(pl.Int64)
table = table.filter((hour >= int(start)) & (hour < int(end)))
where = []
if with_regions == "1":
    intervals = pl.scan_parquet(regions).set_sorted("start")
    table = table.sort("src_address").set_sorted("src_address")
    for name in ("region", "region_pinned"):
        table = table.join_asof(intervals.rename({"region": name}), left_on="src_address", right_on="start").drop(
            "start"
        )
    where = ["region", "region_pinned"]
table = table.collect().lazy()
keys = ["sensor_id", "protocol", "dst_port", *where, "kind", "tool"]
counts = table.group_by(keys).agg(pl.sum("packets"), pl.sum("bytes"), pl.col("src_address").n_unique().alias("sources"))
counts.sort(keys).collect().write_parquet(f"{out}/counts.parquet", compression="zstd", compression_level=3)
keys = ["src_address", "protocol", "dst_port", "tool", *where]
sources = table.group_by(keys).agg(pl.sum("packets"))
sources.sort(keys).collect().write_parquet(f"{out}/sources.parquet", compression="zstd", compression_level=3)
cpu = time.process_time() - begin
status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024
print(json.dumps({"cpu": cpu, "peak": peak, "version": pl.__version__}))
