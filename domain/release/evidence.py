"""Evidence that a canary is worse than the champion, or safe: e-values over counts that DynamoDB can ADD.

An e-value is a number >= 0 whose mean is at most 1 where nothing is wrong, however often it is looked at: at 100 the
chance of a false alarm is at most one in a hundred over the whole rollout (Shafer 2021, "Testing by betting";
Ramdas et al. 2023, "Game-theoretic statistics and safe anytime-valid inference"). Every function returns the natural
logarithm of an e-value; no data is 0, which is evidence of nothing.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BACK = math.log(100)  # this much evidence of harm ends a rollout
HOLD = math.log(20)  # this much evidence of harm holds the share; this much evidence of safety lets it rise
RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0, 20.0)  # rates of a harmful canary, relative to the champion's
SAFE_RATIOS = (0.3, 0.5, 0.7, 1.0)  # rates of a safe canary, relative to the champion's
STAKES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)  # bets on a loss, as shares of the largest difference
IMBALANCE = math.log(1000)  # this much evidence says that the split itself is broken
CERTAINTY = 100.0  # weight of the declared share against the counts (Lindon and Malek 2020)


@dataclass(frozen=True)
class Failures:
    """Entities that failed for the first time while the canary answered this share of all entities.

    A failure is an error, a fallback or a slow answer; a record counts one kind. Only an entity's first failure counts,
    since an entity that always fails is one fault, however many requests it sends.
    """

    share: float  # above 0 and below 1
    canary: int
    champion: int


def harm_by_failures(steps: Iterable[Failures], *, tolerated: float = 1.2) -> float:
    """Return the evidence that the canary's failure rate is above `tolerated` times the champion's.

    Given that an entity failed, it is the canary's with a probability that does not depend on how many fail, so an
    outage of both sides cancels out. `steps` has one record for each share that the canary had. Raises ValueError where
    `tolerated` is not below the largest of RATIOS.
    """
    alternatives = [ratio for ratio in RATIOS if ratio > tolerated]
    if not alternatives:
        raise ValueError(f"tolerated = {tolerated}: must be below {RATIOS[-1]}, the largest ratio that is looked for")
    return _by_ratio(steps, tolerated, alternatives)


def safety_by_failures(steps: Iterable[Failures], *, ratio: float = 2.0) -> float:
    """Return the evidence that the canary's failure rate is below `ratio` times the champion's.

    "Not rolled back" proves nothing; this does.
    """
    return _by_ratio(steps, ratio, SAFE_RATIOS)


def harm_by_decisions(disagreements: int, canary_right: int) -> float:
    """Return the evidence that the canary is right less often than the champion, on rows that both scored.

    `disagreements` counts the rows with an outcome on which the two decided differently; on each of them exactly one
    was right. The alternatives are all probabilities below a half, equally weighted (a Beta mixture).
    """
    n, k = disagreements, canary_right
    if not 0 <= k <= n:
        raise ValueError(f"canary_right = {k}: must be from 0 to the {n} disagreements")
    return (n + 1) * math.log(2) + _log_beta(k + 1, n - k + 1) + _log_upper_half(n + 1, k + 1)


def loss_terms(difference: float, largest: float) -> tuple[float, ...]:
    """Return what one row adds to the sums of `harm_by_value`: a term for each of STAKES.

    `difference` is the value of the canary's decision less that of the champion's, given the row's outcome; `largest`
    is the largest possible difference in either direction, in the same unit. Raises ValueError for a difference beyond
    it.
    """
    if not abs(difference) <= largest:
        raise ValueError(f"difference = {difference}: must be from -{largest} to {largest}, the largest difference")
    return tuple(math.log1p(-stake * difference / largest) for stake in STAKES)


def harm_by_value(sums: Sequence[float]) -> float:
    """Return the evidence that the canary's decisions are worth less on average; `sums` adds up `loss_terms` of rows.

    Exact for any distribution of bounded differences, skewed ones too.
    """
    if len(sums) != len(STAKES):
        raise ValueError(f"{len(sums)} sums: must be {len(STAKES)}, one for each stake")
    return _log_mean_exp(sums)


def imbalance(entities: int, canary: int, share: float) -> float:
    """Return the evidence that the canary did not get its share of the entities (Lindon and Malek 2020).

    `canary` of `entities` different entities were the canary's, where `share` was declared. Compare with IMBALANCE.
    """
    if not 0 <= canary <= entities:
        raise ValueError(f"canary = {canary}: must be from 0 to the {entities} entities")
    ours, theirs = share * CERTAINTY, (1 - share) * CERTAINTY
    counted = _log_beta(ours + canary, theirs + entities - canary) - _log_beta(ours, theirs)
    return counted - canary * math.log(share) - (entities - canary) * math.log1p(-share)


def together(evidence: Sequence[float]) -> float:
    """Return the evidence of several kinds as one: the mean of e-values is an e-value."""
    return _log_mean_exp(evidence) if evidence else 0.0


def _by_ratio(steps: Iterable[Failures], null: float, alternatives: Sequence[float]) -> float:
    sums = [0.0] * len(alternatives)
    for step in steps:
        at_null = _canary_chance(null, step.share)
        for number, ratio in enumerate(alternatives):
            chance = _canary_chance(ratio, step.share)
            sums[number] += step.canary * math.log(chance / at_null)
            sums[number] += step.champion * math.log((1 - chance) / (1 - at_null))
    # Mixed after the sum over time: mixing at each step would not give an e-value of the whole.
    return _log_mean_exp(sums)


def _canary_chance(ratio: float, share: float) -> float:
    """Return the probability that a failure is the canary's if its rate is `ratio` times the champion's."""
    return share * ratio / (share * ratio + 1 - share)


def _log_mean_exp(terms: Sequence[float]) -> float:
    top = max(terms)
    return top + math.log(sum(math.exp(term - top) for term in terms) / len(terms))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_upper_half(n: int, k: int) -> float:
    """Return log P(X >= k) for n fair coins, summed from the side where the terms shrink."""
    if 2 * k > n:
        return _log_tail(n, k)
    lower = _log_tail(n, n - k + 1)  # P(X <= k - 1), by symmetry
    return math.log1p(-math.exp(lower))


def _log_tail(n: int, k: int) -> float:
    """Return log P(X >= k) for n fair coins and k above n/2, where each term is smaller than the one before."""
    if k > n:
        return -math.inf
    first = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
    term, total = 1.0, 1.0
    for j in range(k, n):
        term *= (n - j) / (j + 1)
        total += term
        if term < total * 1e-17:
            break
    return first + math.log(total)
