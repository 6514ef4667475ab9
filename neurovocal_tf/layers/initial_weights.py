"""The ways in which a layer's weights may begin."""


def check_weight_init(weight_init: str) -> None:
    """Raises ValueError for a `weight_init` that no layer has."""
    if weight_init not in ("scaled", "published"):
        raise ValueError(
            f"`weight_init` must be scaled or published. Received: weight_init={weight_init}"
        )
