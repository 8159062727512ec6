"""Oscar's checkout, with our payment."""

from oscar.apps.checkout import apps


class CheckoutConfig(apps.CheckoutConfig):
    """Found by oscar's own class loader."""

    name = "tests.oscar.checkout"
