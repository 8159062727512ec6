"""The pages, each a `TemplateResponse`, so that rules see what they were given."""

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_POST

from examples.django_shop.cart import Cart
from examples.django_shop.models import Order, Product
from lastclick.integrations.django import RequestCheckout


class ShopRequest(HttpRequest):
    """A request with the handle that the middleware gives it, for type checkers."""

    lastclick: RequestCheckout


class AddressForm(forms.Form):
    """Where the goods go."""

    name = forms.CharField(max_length=80)
    street = forms.CharField(max_length=80)
    city = forms.CharField(max_length=80)


@require_GET
def catalogue(request: HttpRequest) -> HttpResponse:
    """All that there is."""
    return TemplateResponse(request, "shop/catalogue.html", {"products": Product.objects.all()})


@require_POST
def add(request: HttpRequest, number: int) -> HttpResponse:
    """One more of a product."""
    Cart(request).add(get_object_or_404(Product, pk=number))
    return redirect("shop:cart")


@require_GET
def cart(request: HttpRequest) -> HttpResponse:
    """The first step."""
    return TemplateResponse(request, "shop/cart.html", {"cart": Cart(request)})


def details(request: HttpRequest) -> HttpResponse:
    """Where to."""
    own = Cart(request)
    if not own.lines:
        return redirect("shop:cart")
    form = AddressForm(request.POST or None, initial=own.address)
    if request.method == "POST" and form.is_valid():
        own.deliver_to(form.cleaned_data)
        return redirect("shop:payment")
    return TemplateResponse(request, "shop/details.html", {"form": form})


def payment(request: ShopRequest) -> HttpResponse:
    """Charge the card and write the order."""
    own = Cart(request)
    if not own.lines or own.address is None:
        return redirect("shop:details")
    if request.method != "POST":
        return TemplateResponse(request, "shop/payment.html", {"cart": own})
    if request.POST.get("card", "").startswith("4000"):  # a stand-in for a payment provider
        return TemplateResponse(request, "shop/payment.html", {"cart": own, "declined": True})
    order = Order.objects.create(total=own.total, **own.address)
    own.empty()
    request.session["order"] = order.pk
    # Recorded when this request's transaction is committed, and not otherwise.
    request.lastclick.complete(order.number, (order.total, "EUR"))
    return HttpResponseRedirect("/thanks/")


@require_GET
def thanks(request: HttpRequest) -> HttpResponse:
    """The order's end, and the attempt's."""
    order = get_object_or_404(Order, pk=request.session.get("order"))
    return TemplateResponse(request, "shop/thanks.html", {"order": order})
