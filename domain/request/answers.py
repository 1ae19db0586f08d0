"""From a model's score, or from no model at all, to the answer that is given."""

from domain.contract.schema import Contract

Score = float | list[float]  # P(positive) or a value; for a multiclass task one probability per class


def answer_from_score(contract: Contract, score: Score, *, classes: list | None = None, threshold: float = 0.5) -> dict:
    """{prediction, probability, probabilities?}.

    binary: prediction is true from `threshold` on, probability is that of the positive class. multiclass: the likeliest
    of `classes` (the first where several are equally likely) and its probability. regression: the value, probability
    None.
    """
    if contract.task == "regression":
        return {"prediction": score, "probability": None}
    if contract.task == "binary":
        return {"prediction": score >= threshold, "probability": score}
    best = max(range(len(score)), key=score.__getitem__)
    probabilities = {str(name): share for name, share in zip(classes, score, strict=True)}
    return {"prediction": classes[best], "probability": score[best], "probabilities": probabilities}


def fallback_answer(contract: Contract, *, threshold: float = 0.5) -> dict:
    """The answer without a model: the contract's prior, the best that is known when nothing is known of the row."""
    if contract.task != "multiclass":
        return answer_from_score(contract, contract.prior, threshold=threshold)
    names = list(contract.prior)
    classes = [int(name) for name in names] if contract.target.type == "integer" else names
    return answer_from_score(contract, [contract.prior[name] for name in names], classes=classes)
