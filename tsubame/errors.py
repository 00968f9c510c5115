"""What went wrong, named by what the caller should do about it.

==============  ==================================  =========================
class           the caller should                   exit status of the CLI
==============  ==================================  =========================
``BadInput``    never retry; mend the input         3
``Unavailable`` retry later                         4
``NotReady``    come back when more has arrived     4
``Rejected``    read the verdict                    5
==============  ==================================  =========================
"""

from __future__ import annotations

from typing import Any

from tsubame.redaction import redact


class TsubameError(Exception):
    """An error whose text is one line that a person can act on, and that holds no secret of a URL.

    Args:
        what: what is wrong, in a few words.
        key: the object (file, key, URL) it is wrong with.
        offset: byte offset or line number in that object, where there is one.
        expected: what should have been there.
        actual: what was there instead.
        hint: what to do.
        unit: what ``offset`` counts: ``byte`` or ``line``.
    """

    exit_status = 1

    def __init__(
        self,
        what: str,
        *,
        key: str | None = None,
        offset: int | None = None,
        expected: object = None,
        actual: object = None,
        hint: str | None = None,
        unit: str = "byte",
    ) -> None:
        self.what = what
        self.key = key
        self.offset = offset
        self.expected = expected
        self.actual = actual
        self.hint = hint
        self.unit = unit
        super().__init__(what)

    def __str__(self) -> str:
        parts = [f"{self.key}: " if self.key else "", self.what]
        if self.offset is not None:
            parts.append(f" at {self.unit} {self.offset}")
        if self.expected is not None:
            parts.append(f": expected {self.expected}")
            if self.actual is not None:
                parts.append(f", found {self.actual}")
        elif self.actual is not None:
            parts.append(f": found {self.actual}")
        if self.hint:
            parts.append(f". {self.hint}")
        return redact(" ".join("".join(parts).split()))

    def __reduce__(self) -> tuple[Any, ...]:
        # Dask and multiprocessing send errors between processes; keyword-only arguments need help.
        return _rebuild, (type(self), self.what, self.__dict__)


def _rebuild(kind: type[TsubameError], what: str, state: dict[str, Any]) -> TsubameError:
    error = kind(what)
    error.__dict__.update(state)
    return error


class BadInput(TsubameError):
    """The input is wrong and will still be wrong on a retry."""

    exit_status = 3


class UnsupportedCapture(BadInput):
    """A file that is no capture, or of a container that is not supported."""


class MalformedDelegation(BadInput):
    """A delegation file that does not follow the RIRs' exchange format."""


class MalformedSensors(BadInput):
    """A sensor registry that cannot be read."""


class MalformedScenario(BadInput):
    """A scenario file that cannot be read or contradicts itself."""


class SchemaMismatch(BadInput):
    """A table that is not what ``schemas`` says it is."""


class UsageError(TsubameError):
    """The command was called in a way that cannot mean anything."""

    exit_status = 2


class Unavailable(TsubameError):
    """A store, cluster or registry does not answer now; the same call may succeed later."""

    exit_status = 4


class DamagedObject(Unavailable):
    """An object of the lake is not what was written there; what it was made from makes it again."""


class NotReady(TsubameError):
    """Something that must come first has not arrived yet."""

    exit_status = 4


class Rejected(TsubameError):
    """Validation refused the result; ``verdict`` says why.

    Args:
        what: one line naming the failed critical expectations.
        verdict: the verdict as plain data (see ``tsubame.validation``).
    """

    exit_status = 5

    def __init__(self, what: str, *, verdict: Any = None, **where: Any) -> None:
        super().__init__(what, **where)
        self.verdict = verdict
