"""Cartridge's own pages, and those of Mezzanine below them."""

from cartridge.shop.views import checkout_steps, order_history
from django.contrib import admin
from django.urls import include, path
from mezzanine.core.views import direct_to_template

admin.autodiscover()


def checkout(request):
    """Cartridge's own view. The page of an empty cart has the same name, so it is told apart."""
    return checkout_steps(request, extra_context={"has_items": request.cart.has_items()})


urlpatterns = [
    path("admin/lastclick/", include("lastclick.integrations.django.urls")),
    path("admin/", include(admin.site.urls)),
    path("shop/checkout/", checkout, name="shop_checkout"),
    path("shop/", include("cartridge.shop.urls")),
    path("account/orders/", order_history, name="shop_order_history"),
    path("", direct_to_template, {"template": "index.html"}, name="home"),
    path("", include("mezzanine.urls")),
]
