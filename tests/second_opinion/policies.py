"""Every policy of the templates to parliament; run by the Python of build/second-opinion, which has nothing of ours.

Standard input: {where: policy}. Standard output: [[where, severity, issue, actions, details]].
"""

import json
import sys

from parliament import analyze_policy_string, enhance_finding


def findings(where: str, policy: dict) -> list[list]:
    found = analyze_policy_string(json.dumps(policy)).findings
    enhanced = [enhance_finding(each) for each in found]
    return [
        [where, each.severity, each.issue, _actions(each.detail), f"{each.detail or ''} {each.location}"]
        for each in enhanced
    ]


def _actions(detail) -> list[str]:
    """Those that a finding is about, where it names any."""
    return [part["action"] for part in detail if "action" in part] if isinstance(detail, list) else []


if __name__ == "__main__":
    policies = json.load(sys.stdin)
    print(json.dumps([found for where, policy in policies.items() for found in findings(where, policy)]))
