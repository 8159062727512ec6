"""Which page is where."""

from django.contrib import admin
from django.urls import include, path

from tests.integrations.djangoshop import views

checkout = (
    [
        path("details/", views.details, name="details"),
        path("class/", views.Details.as_view(), name="class"),
        path("payment/", views.payment, name="payment"),
    ],
    "checkout",
)
urlpatterns = [
    path("", views.home, name="home"),
    path("cart/", views.cart, name="cart"),
    path("checkout/", include(checkout)),
    path("pay/", views.pay, name="pay"),
    path("thanks/", views.thanks, name="thanks"),
    path("token/", views.token),
    path("back/", views.back),
    path("fails/", views.fails),
    path("admin/lastclick/", include("lastclick.integrations.django.urls")),
    path("admin/", admin.site.urls),
]
