"""What a prediction was worth, once it is known what really happened."""

from domain.config.sections import Business
from domain.contract.schema import Contract


def assess(contract: Contract, business: Business, *, prediction, outcome) -> dict:
    """{correct, value_usd} of a class, {error} of a number: the prediction less the outcome."""
    if contract.task == "regression":
        return {"error": prediction - outcome}
    if contract.task == "multiclass":
        return {"correct": prediction == outcome}
    actual = outcome == contract.positive
    return {"correct": prediction == actual, "value_usd": value_usd(business, predicted=prediction, actual=actual)}


def value_usd(business: Business, *, predicted: bool, actual: bool) -> float:
    if predicted:
        return business.true_positive_usd if actual else business.false_positive_usd
    return business.false_negative_usd if actual else business.true_negative_usd
