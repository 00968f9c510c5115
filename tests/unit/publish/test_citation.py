"""An edition's metadata, held against DataCite's own JSON Schema."""

import json

import pytest

from tsubame.errors import UsageError
from tsubame.publish.citation import LICENCES, citation_files, describe_edition

datacite = pytest.importorskip("datacite.schema45")

DOCUMENT = {"quarter": "2023Q1", "edition": 2, "created_at": "2023-04-14T01:00:00Z"}


@pytest.mark.parametrize("licence", sorted(LICENCES))
def test_the_metadata_follow_datacites_schema(licence):
    metadata = describe_edition(DOCUMENT, "Example CSIRT", licence)
    assert datacite.validator.is_valid(metadata), list(datacite.validator.iter_errors(metadata))
    assert metadata["rightsList"][0]["rightsIdentifier"] == licence


def test_the_schema_would_refuse_other_metadata():
    assert not datacite.validator.is_valid({**describe_edition(DOCUMENT, "X", "CC0-1.0"), "titles": "x"})


def test_dates_and_version_are_those_of_the_edition():
    metadata = json.loads(citation_files(DOCUMENT, "Example CSIRT", "CC-BY-4.0")["datacite.json"])
    assert metadata["version"] == "2"
    assert metadata["publicationYear"] == "2023"
    assert {"date": "2023-01-01/2023-03-31", "dateType": "Collected"} in metadata["dates"]


def test_an_unknown_licence_is_named():
    with pytest.raises(UsageError, match=r"TSUBAME_LICENCE: expected one of CC-BY-4.0.*found GPL"):
        describe_edition(DOCUMENT, "X", "GPL")
