"""Settings that a command gives over those of fairway.toml."""

import pytest

from domain.config.overrides import with_overrides
from domain.config.sections import ConfigError

DOCUMENT = {
    "project": {"name": "shop", "contract": "contract.toml", "task": "binary"},
    "training": {"candidates": ["prior"]},
    "stages": {"prod": {"training": {"schedule": "rate(30 days)"}}},
}


def test_each_setting_is_read_as_in_the_file_and_a_text_needs_no_quotes():
    config = with_overrides(
        DOCUMENT,
        "local",
        [
            "data.window_days=120",
            "training.schedule = rate(14 days)",
            "training.candidates=['prior', 'logistic_regression']",
            "training.parameters.logistic_regression.C=2.5",
            "release.canary=[5, 50]",
        ],
    )
    assert config.data.window_days == 120
    assert config.training.schedule == "rate(14 days)"
    assert config.training.candidates == ["prior", "logistic_regression"]
    assert config.training.parameters == {"logistic_regression": {"C": 2.5}}
    assert config.release.canary == [5.0, 50.0]


def test_it_replaces_what_a_stage_has_of_its_own_and_leaves_the_file_as_it_is():
    assert with_overrides(DOCUMENT, "prod", ["training.schedule=off"]).training.schedule == "off"
    assert with_overrides(DOCUMENT, "prod", ["data.window_days=120"]).training.schedule == "rate(30 days)"
    assert DOCUMENT["stages"] == {"prod": {"training": {"schedule": "rate(30 days)"}}}
    assert "data" not in DOCUMENT


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("window_days=120", "--set: window_days=120: must be SECTION.KEY=VALUE, such as data.window_days=120"),
        ("data.window_days", "--set: data.window_days: must be SECTION.KEY=VALUE, such as data.window_days=120"),
        ("data.window_days=many", "--set: data.window_days = 'many': must be a whole number"),
        ("data.windows=3", "--set: data.windows: must be one of the settings window_days,"),
        ("dates.x=3", "--set: [dates] must be left out; the sections are project,"),
        ("data.evaluate_days=200", "--set: data.evaluate_days"),
    ],
)
def test_what_the_file_could_not_have_is_refused(text, told):
    with pytest.raises(ConfigError) as refused:
        with_overrides(DOCUMENT, "local", [text])
    assert str(refused.value).startswith(told)
