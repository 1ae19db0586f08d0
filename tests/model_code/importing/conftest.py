"""One importer for each task's table."""

import pytest

from domain.contract.schema import Column, Contract
from tests.model_code.importing.imports import Importer
from tests.model_code.projects import PROJECTS


@pytest.fixture(scope="session")
def returns(tmp_path_factory):
    """binary, with categories, booleans and missing values"""
    return Importer(tmp_path_factory.mktemp("returns"), *PROJECTS["binary"]())


@pytest.fixture(scope="session")
def parcels(tmp_path_factory):
    """multiclass; its features are weight and from"""
    return Importer(tmp_path_factory.mktemp("parcels"), *PROJECTS["multiclass"]())


@pytest.fixture(scope="session")
def rents(tmp_path_factory):
    """regression on two features: m² and lift"""
    return Importer(tmp_path_factory.mktemp("rents"), *PROJECTS["regression"]())


@pytest.fixture(scope="session")
def loans(tmp_path_factory):
    """binary on a number, a boolean and a category of three values: a matrix of 3 columns, or 5 with one-hot"""
    contract = Contract(
        "loans",
        "binary",
        (
            Column("income", "float", minimum=0),
            Column("owner", "boolean"),
            Column("region", "string", categories=("north", "south", "west")),
            Column("repaid", "boolean", role="target"),
        ),
        prior=0.5,
    )
    rows = [
        {"income": n % 97 / 10, "owner": n % 2 == 0, "region": ("north", "south", "west")[n % 3], "repaid": n % 97 > 40}
        for n in range(400)
    ]
    return Importer(tmp_path_factory.mktemp("loans"), contract, rows)
