import pyarrow as pa
import pytest

from tsubame.errors import SchemaMismatch
from tsubame.schemas import COUNTS, FLOWS, PACKETS, TABLES, enforce


@pytest.mark.parametrize("schema", TABLES, ids=lambda schema: schema.name)
def test_every_column_says_what_it_means(schema):
    assert len(set(schema.names)) == len(schema.names)
    for column in schema.columns:
        assert column.meaning
        assert column.unit or column.key or schema is PACKETS or column.type not in (pa.uint64(), pa.uint32())
    assert enforce(schema.empty(), schema).schema.metadata[b"table"] == schema.name.encode()


def test_what_is_not_as_declared_is_refused():
    table = FLOWS.empty()
    with pytest.raises(SchemaMismatch, match="columns of flows"):
        enforce(table.drop_columns(["hour"]), FLOWS)
    with pytest.raises(SchemaMismatch, match=r"type of flows\.packets"):
        enforce(table.set_column(7, "packets", pa.array([], pa.int64())), FLOWS)


def test_nulls_are_refused_where_a_value_must_be():
    table = pa.table([pa.array([None], c.type) for c in COUNTS.columns], names=list(COUNTS.names))
    with pytest.raises(SchemaMismatch, match=r"nulls in counts\.sensor_id: expected 0, found 1"):
        enforce(table, COUNTS, key="x")


def test_enforce_keeps_the_tables_own_metadata():
    table = FLOWS.empty().replace_schema_metadata({"capture": "a"})
    assert enforce(table, FLOWS).schema.metadata[b"capture"] == b"a"
