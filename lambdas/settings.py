"""Settings with which the app was deployed: fairway.toml, the contract, the image; read from the zip when a function
starts.
"""

import json
import os
from pathlib import Path

from domain.config import sections as config
from domain.contract import schema as contract

_DEPLOYED = json.loads(Path(os.environ["LAMBDA_TASK_ROOT"], "settings.json").read_text(encoding="utf-8"))

CONFIG = config.from_dict(_DEPLOYED["config"])
CONTRACT = contract.from_dict(_DEPLOYED["contract"])
CODE_VERSION = _DEPLOYED["code_version"]  # tag of this deployment's container image
