"""What `fairway import` says of a conversion: with whose answers the model agrees, and with whose it was not
compared.
"""

import pytest

from fairway.commands.import_model import told_of

LAKE = {"rows": 1000, "bound": 1e-5, "largest_difference": 1.2e-7}
GIVEN = {"rows": 2000, "bound": 1e-5, "largest_difference": 3e-8}
SERVED = "net.onnx (onnx) is served by ONNX Runtime, which answers 1,000 rows of the lake"


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (
            {"file": "net.pt2", "file_format": "torch.export", "format": "onnx", "compared_with_given": None},
            [
                (
                    "net.pt2 (torch.export) is served by ONNX Runtime: 1,000 rows answered as its own "
                    "framework does, within 1e-07"
                )
            ],
        ),
        (
            {"file": "m.joblib", "file_format": "joblib", "format": "plan", "compared_with_given": GIVEN},
            [
                "m.joblib (joblib) is served by a plan: 1,000 rows answered as its own framework does, within 1e-07",
                "2,000 answers of --answers are given again, within 3e-08",
            ],
        ),
        (
            {"file": "net.onnx", "file_format": "onnx", "format": "onnx", "compared_with_given": GIVEN},
            [SERVED, "2,000 answers of --answers are given again, within 3e-08"],
        ),
        (
            {"file": "net.onnx", "file_format": "onnx", "format": "onnx", "compared_with_given": None},
            [SERVED, "the answers of the original model are unknown; --answers FILE compares them"],
        ),
    ],
    ids=["converted", "compared twice", "compared with what was brought", "compared with nothing"],
)
def test_only_what_was_compared_is_said_to_agree(made, told):
    assert told_of({**made, "compared": LAKE}) == told
