"""python -m model_code.backtest FOLDER KEPT: contract.json, config.json and run.json of FOLDER -> result.json there.

Rows come from FOLDER/parts, unless they are sorted into KEPT/days already; models are kept in KEPT/trained. Each line
of standard output is a JSON object: how far it is, and at the end {"refused": why} or {"done": the result's file}.
"""

import sys
from pathlib import Path

from model_code.fitting.pins import hold_pins


def main(arguments: list[str]) -> int:
    from model_code.backtest.job import work  # imports the libraries that the pins are for

    folder, kept = map(Path, arguments)
    return work(folder, kept)


if __name__ == "__main__":
    hold_pins()
    sys.exit(main(sys.argv[1:]))
