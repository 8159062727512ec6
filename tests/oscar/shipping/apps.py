"""Oscar's shipping, with methods of our own."""

from oscar.apps.shipping import apps


class ShippingConfig(apps.ShippingConfig):
    """Found by oscar's own class loader."""

    name = "tests.oscar.shipping"
