"""python -m model_code train|evaluate|serve|score|replay|monitor: the image's entry point and the laptop's command."""

import importlib
import os
import sys

from model_code import paths
from model_code.artefact.folder import ArtefactRefused
from model_code.fitting.pins import hold_pins
from model_code.light import without_pandas
from model_code.refusals import BodyRefused, FileRefused, PlanCorrupt
from model_code.settings import JobRefused

_VERBS = ("train", "evaluate", "serve", "score", "replay", "monitor")
_REFUSALS = (JobRefused, ArtefactRefused, FileRefused, PlanCorrupt, BodyRefused)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in _VERBS:
        print(f"usage: python -m model_code {'|'.join(_VERBS)}", file=sys.stderr)
        return 2
    (verb,) = arguments
    if verb in ("score", "monitor"):
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # their own threads use every core already
    try:
        with without_pandas():
            job = importlib.import_module(f"model_code.{verb}")
        job.main()
    except _REFUSALS as error:
        return _failed(verb, str(error))
    except Exception as error:
        _failed(verb, f"{type(error).__name__}: {error}")
        raise
    return 0


def _failed(verb: str, reason: str) -> int:
    """Report the reason in one paragraph: on standard error, and in the file of a training job's FailureReason."""
    reason = " ".join(f"{verb}: {reason}".split())
    print(reason, file=sys.stderr)
    if verb == "train":
        paths.failure().parent.mkdir(parents=True, exist_ok=True)
        paths.failure().write_text(reason[:1024])
    return 1


if __name__ == "__main__":
    if sys.argv[1:] == ["train"]:
        hold_pins()  # not in `main`, whose caller may be a process with other work
    sys.exit(main(sys.argv[1:]))
