"""In the sandbox: open a stranger's model, let it answer, and return only data.

The data are a plan, ONNX, or scikit-learn's own file if no plan can express the model; the model's own answers; and the
versions of the libraries that gave them.
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
_CONVERTERS = {
    "scikit-learn": "from_sklearn",
    "onnx": "from_onnx",
    "torch": "from_torch",
    "tensorflow": "from_tensorflow",
}


def main(file: Path) -> None:
    sandbox.confine()
    conversion = request.read(file)
    report: request.Report
    try:
        converter = importlib.import_module(f"model_code.importing.{_CONVERTERS[conversion.format.framework]}")
        scores, versions = converter.convert(conversion)
    except ImportRefused as error:
        report = {"refused": str(error)}
    except ModuleNotFoundError as error:
        report = {"refused": missing(error.name or str(error), conversion.format.framework)}
    except Exception as error:  # noqa: BLE001 - a stranger's model may raise anything; its user gets the file and the reason
        traceback.print_exc()
        name, kind = conversion.file.name, conversion.format.name
        report = {"refused": f"{name} cannot be opened and converted as {kind}: {in_a_line(error)}"}
    else:
        np.save(conversion.folder / request.ANSWERS, np.asarray(scores, np.float64), allow_pickle=False)
        report = {"versions": versions}
    (conversion.folder / request.REPORT).write_text(json.dumps(report))


def missing(package: str, framework: str) -> str:
    extra = "skops" if framework == "scikit-learn" else framework
    bring = f"`uv sync --frozen --inexact --extra {extra}` in the folder of Fairway brings it"
    return f"{package} must be installed to open the model; {bring}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
