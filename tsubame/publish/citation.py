"""How an edition is cited and under what terms its data may be used: ``datacite.json`` and ``LICENSE.txt``.

The form is DataCite's metadata schema 4.5 as JSON, ready for a repository that mints the DOI; without one the
edition is named by its quarter and number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tsubame.errors import UsageError
from tsubame.periods import Quarter
from tsubame.report.names import LANGUAGES
from tsubame.report.narrative import quarter_title
from tsubame.report.wording import WORDING

SCHEMA = "http://datacite.org/schema/kernel-4"
SPDX = "https://spdx.org/licenses/"
LICENCES: Mapping[str, str] = {
    "CC-BY-4.0": "Creative Commons Attribution 4.0 International",
    "CC-BY-SA-4.0": "Creative Commons Attribution Share Alike 4.0 International",
    "CC-BY-NC-4.0": "Creative Commons Attribution Non Commercial 4.0 International",
    "CC0-1.0": "Creative Commons Zero v1.0 Universal",
    "ODbL-1.0": "Open Data Commons Open Database License v1.0",
    "ODC-By-1.0": "Open Data Commons Attribution License v1.0",
    "PDDL-1.0": "Open Data Commons Public Domain Dedication & License 1.0",
}
"""Names of the licences that open data are published under, by their SPDX identifier."""
CITATION = ("datacite.json", "LICENSE.txt")
_SUBJECTS = ("network telescope", "darknet", "internet background radiation", "scanning", "インターネット定点観測")


def check_licence(licence: str) -> str:
    """Return the licence's name.

    Raises:
        UsageError: it is none of ``LICENCES``.
    """
    if licence not in LICENCES:
        raise UsageError(
            "TSUBAME_LICENCE", expected="one of " + ", ".join(LICENCES), actual=licence, hint="Set it in .env."
        )
    return LICENCES[licence]


def describe_edition(document: Mapping[str, Any], publisher: str, licence: str) -> dict[str, Any]:
    """Return an edition's metadata in DataCite's form.

    Args:
        document: the content of ``report.json``, with its edition and instant of creation.
        publisher: the body that signs the report.
        licence: one of ``LICENCES``.
    """
    quarter = Quarter.parse(str(document["quarter"]))
    number, created = document["edition"], str(document["created_at"])
    name = f"{document['quarter']}/editions/{number}"
    # DataCite's JSON spells a language as BCP 47 does.
    titles = [
        {"title": f"TSUBAME {WORDING[lang]['title']} {quarter_title(quarter, lang)}", "lang": lang}
        for lang in LANGUAGES
    ]
    described = [
        {"description": WORDING[lang]["intro"], "descriptionType": "Abstract", "lang": lang} for lang in LANGUAGES
    ]
    related = [
        {
            "relatedIdentifier": "https://www.iana.org/assignments/service-names-port-numbers/",
            "relatedIdentifierType": "URL",
            "relationType": "References",
        }
    ]
    return {
        "schemaVersion": SCHEMA,
        "alternateIdentifiers": [{"alternateIdentifier": name, "alternateIdentifierType": "edition"}],
        "types": {
            "resourceTypeGeneral": "Dataset",
            "resourceType": "Quarterly internet observation report and its data",
        },
        "creators": [{"name": publisher, "nameType": "Organizational"}],
        "titles": [titles[0], {**titles[1], "titleType": "TranslatedTitle"}],
        "publisher": {"name": publisher},
        "publicationYear": created[:4],
        "language": LANGUAGES[0],
        "version": str(number),
        "dates": [
            {"date": f"{quarter.first_day}/{quarter.last_day}", "dateType": "Collected"},
            {"date": created, "dateType": "Created"},
        ],
        "subjects": [{"subject": subject} for subject in _SUBJECTS],
        "descriptions": described,
        "rightsList": [
            {
                "rights": check_licence(licence),
                "rightsUri": f"{SPDX}{licence}.html",
                "rightsIdentifier": licence,
                "rightsIdentifierScheme": "SPDX",
                "schemeUri": SPDX,
            }
        ],
        "formats": [
            "text/html",
            "application/pdf",
            "application/json",
            "text/csv",
            "application/vnd.apache.parquet",
            "image/svg+xml",
            "image/png",
        ],
        "relatedIdentifiers": related,
    }


def citation_files(document: Mapping[str, Any], publisher: str, licence: str) -> dict[str, bytes]:
    """Return ``datacite.json`` and ``LICENSE.txt`` of an edition."""
    metadata = json.dumps(describe_edition(document, publisher, licence), ensure_ascii=False, indent=1) + "\n"
    terms = (
        f"The report and its data are published by {publisher} under {check_licence(licence)} ({licence}):\n"
        f"{SPDX}{licence}.html\n"
    )
    return {"datacite.json": metadata.encode(), "LICENSE.txt": terms.encode()}
