"""Which page is where."""

from django.contrib import admin
from django.urls import include, path

from examples.django_shop import views

shop = [
    path("", views.catalogue, name="catalogue"),
    path("add/<int:number>/", views.add, name="add"),
    path("cart/", views.cart, name="cart"),
    path("details/", views.details, name="details"),
    path("payment/", views.payment, name="payment"),
    path("thanks/", views.thanks, name="thanks"),
]
urlpatterns = [
    path("", include((shop, "shop"))),
    path("admin/lastclick/", include("lastclick.integrations.django.urls")),
    path("admin/", admin.site.urls),
]
