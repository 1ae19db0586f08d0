"""Every kind of template that the app builds: the stages of the reference project, and some that are set otherwise."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Stages beside those of fairway.toml: always on and with canaries, asleep outside office hours, without endpoints, and
# with all that costs or warns, each in another region.
STAGES = """
[stages.always]
region = "eu-central-1"
serving.mode = "instance"
serving.instances = 2
batch.schedule = "rate(1 day)"
data.delete_days = 1000
release.canary = [5, 25, 50]

[stages.hours]
region = "us-west-2"
keep_data = false
serving.office_hours = "mon-fri 07:00-19:00 Europe/Berlin"
serving.idle_hours = 2
serving.outside = "wake"
training.spot = false

[stages.functions]
region = "eu-west-1"
serving.mode = "function"

[stages.everything]
region = "ap-southeast-2"
account = "123456789012"
monitoring.email = "on-call@example.com"
release.approve = "manual"
budget.monthly_usd = 50.0
budget.anomaly_usd = 10.0
budget.stop_training_percent = 90.0
budget.stop_challengers_percent = 95.0
budget.stop_model_percent = 100.0
"""


def build(folder: Path) -> dict[Path, str]:
    """Write the templates of every stage; return {template: its region}."""
    project, out = folder / "project", folder / "templates"
    (project / "flights").mkdir(parents=True)
    shutil.copy(ROOT / "flights/contract.toml", project / "flights")
    (project / "fairway.toml").write_text((ROOT / "fairway.toml").read_text() + STAGES)
    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    environment = {
        "CDK_CONTEXT_JSON": json.dumps(
            {**flags, "project": str(project), "image_tag": "0123456789ab", "kernel": False}
        ),
        "CDK_OUTDIR": str(out),
    }
    subprocess.run([sys.executable, "app.py"], cwd=ROOT, env={**os.environ, **environment}, check=True)
    stacks = json.loads((out / "manifest.json").read_text())["artifacts"]
    return {
        out / stack["properties"]["templateFile"]: stack["environment"].rpartition("/")[2]
        for name, stack in sorted(stacks.items())
        if stack["type"] == "aws:cloudformation:stack"
    }
