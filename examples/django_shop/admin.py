"""What staff can change."""

from django.contrib import admin

from examples.django_shop.models import Order, Product

admin.site.register([Order, Product])
