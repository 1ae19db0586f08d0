"""In the closed-off process: opens a stranger's model, lets it answer, and hands back only data.

That is a plan, ONNX, or scikit-learn's own file where no plan will do; the model's own answers; and who gave them.
"""

import importlib
import json
import sys
import traceback
from pathlib import Path

import numpy as np

from model_code.importing import request, sandbox
from model_code.importing.formats import ImportRefused, in_a_line

# framework -> the module with convert(conversion) -> (scores as (rows, classes), {package: version})
CONVERTERS = {
    "scikit-learn": "from_sklearn",
    "onnx": "from_onnx",
    "torch": "from_torch",
    "tensorflow": "from_tensorflow",
}


def main(file: Path) -> None:
    sandbox.confine()
    conversion = request.read(file)
    try:
        converter = importlib.import_module(f"model_code.importing.{CONVERTERS[conversion.format.framework]}")
        scores, versions = converter.convert(conversion)
    except ImportRefused as error:
        report = {"refused": str(error)}
    except ModuleNotFoundError as error:
        report = {"refused": missing(error.name or str(error), conversion.format.framework)}
    except (
        Exception  # noqa: BLE001 - a stranger's model may raise anything; it is the reason that is reported
    ) as error:  # a stranger's file in a large library: whatever it raises, the user hears which file it was
        traceback.print_exc()
        file, kind = conversion.file.name, conversion.format.name
        report = {"refused": f"{file} cannot be opened and converted as {kind}: {in_a_line(error)}"}
    else:
        np.save(conversion.folder / request.ANSWERS, np.asarray(scores, np.float64), allow_pickle=False)
        report = {"versions": versions}
    (conversion.folder / request.REPORT).write_text(json.dumps(report))


def missing(package: str, framework: str) -> str:
    extra = "skops" if framework == "scikit-learn" else framework
    return (
        f"{package} is needed to open the model and is not installed; `uv sync --frozen --inexact "
        f"--extra {extra}` in the "
        "folder of Fairway brings it"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
