"""Takes secrets out of texts that people and logs see: what a URL holds beside its place is nobody's business."""

from __future__ import annotations

import re

HIDDEN = "***"

# The last @ before the path ends it: a password may hold one that nobody escaped.
_USER = re.compile(r"(?<=://)[^\s/?#'\"]*(?=@)")
_VALUE = re.compile(
    r"(?i)([?&][\w.-]*(?:token|key|secret|sig|signature|passw(?:or)?d|credential|auth)[\w.-]*=)[^\s&#'\"]+"
)


def redact(text: str) -> str:
    """Return the text with user, password and secret query values of every URL in it hidden."""
    return _VALUE.sub(rf"\g<1>{HIDDEN}", _USER.sub(HIDDEN, text))
