"""The validation of a quarter."""

from __future__ import annotations

from pathlib import Path

from tsubame.validation.docs import write_docs
from tsubame.validation.frames import ValidationFrames, build_frames
from tsubame.validation.suites import run_suites
from tsubame.validation.verdict import Verdict


def validate_quarter(frames: ValidationFrames, *, docs_dir: Path | None) -> Verdict:
    """Run every suite on a quarter.

    Args:
        frames: what the quarter was computed from, and what came out.
        docs_dir: folder for the static Data Docs, made when it is not there; None for none. The same result
            gives the same bytes.

    Returns:
        The verdict; a refusal is no exception here, the caller raises ``errors.Rejected`` with it.
    """
    runs = run_suites(build_frames(frames))
    verdict = Verdict(tuple(run.outcome for run in runs), tuple(check for run in runs for check in run.checks))
    if docs_dir is not None:
        write_docs(runs, verdict, str(frames.analysis.quarter), docs_dir)
    return verdict
