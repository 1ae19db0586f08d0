"""Tables of customers, some of whom leave: what journeys of releases learn from."""

import random

HEADER = ["size", "orders", "plan", "left"]


def customers(number: int, *, by: str, seed: int, noise: float = 0.2) -> list[list]:
    """Customers who leave by their size, or by their orders, but for a share `noise` of them who do the opposite.

    A model of the ones says little of the others.
    """
    draw = random.Random(seed)
    rows = []
    for _ in range(number):
        size, orders = round(draw.gauss(170, 10), 2), draw.randint(0, 40)
        leaves = size > 170 if by == "size" else orders > 20
        rows.append([size, orders, draw.choice(["free", "pro"]), "yes" if leaves != (draw.random() < noise) else "no"])
    return rows
