"""The shop's books."""

from django.db import models


class Product(models.Model):
    """Something to buy."""

    name = models.CharField(max_length=80)
    price = models.DecimalField(max_digits=8, decimal_places=2)

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    """Something bought."""

    name = models.CharField(max_length=80)
    street = models.CharField(max_length=80)
    city = models.CharField(max_length=80)
    total = models.DecimalField(max_digits=8, decimal_places=2)
    ordered_at = models.DateTimeField(auto_now_add=True)

    @property
    def number(self) -> str:
        return f"o-{self.pk}"

    def __str__(self) -> str:
        return self.number
