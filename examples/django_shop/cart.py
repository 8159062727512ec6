"""The shopper's cart, kept in the session."""

from decimal import Decimal
from typing import NamedTuple

from django.http import HttpRequest

from examples.django_shop.models import Product


class Line(NamedTuple):
    """So many of one product."""

    product: Product
    quantity: int

    @property
    def total(self) -> Decimal:
        return self.product.price * self.quantity


class Cart:
    """What a shopper wants to buy, and where it is to go."""

    def __init__(self, request: HttpRequest) -> None:
        self.session = request.session

    @property
    def lines(self) -> list[Line]:
        wanted = self.session.get("cart", {})
        products = Product.objects.filter(pk__in=wanted)
        return [Line(product, wanted[str(product.pk)]) for product in products]

    @property
    def total(self) -> Decimal:
        return sum((line.total for line in self.lines), Decimal(0))

    @property
    def address(self) -> dict[str, str] | None:
        address: dict[str, str] | None = self.session.get("address")
        return address

    def add(self, product: Product) -> None:
        wanted = self.session.setdefault("cart", {})
        wanted[str(product.pk)] = wanted.get(str(product.pk), 0) + 1
        self.session.modified = True

    def deliver_to(self, address: dict[str, str]) -> None:
        self.session["address"] = address

    def empty(self) -> None:
        self.session["cart"] = {}
