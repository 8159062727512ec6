"""The pages."""

from types import SimpleNamespace

from asgiref.sync import sync_to_async
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.views import View

from lastclick.integrations.django import current_checkout, step


def home(request):
    return HttpResponse("home")


def cart(request):
    return TemplateResponse(request, "cart.html")


@step("details", method="POST", status=422, reason="invalid_address")
@step("details")
def details(request):
    return HttpResponse("details", status=422 if request.method == "POST" else 200)


@step("details")
class Details(View):
    async def get(self, request):
        return HttpResponse("details")


def payment(request):
    context = {"step": "pay"}
    if request.method == "POST":
        if request.POST.get("card") == "bad":
            context["error"] = "declined"
        else:
            return order(request)
    return TemplateResponse(request, ["payment.html", "other.html"], context)


def order(request):
    number = request.POST.get("number", "o-1")
    with transaction.atomic():
        request.lastclick.complete(number, ("59.90", "EUR"))
        current_checkout.complete(number, ("59.90", "EUR"))
        if "rollback" in request.POST:
            transaction.set_rollback(True)
    return HttpResponseRedirect(f"/thanks/?order={number}")


async def pay(request):
    await sync_to_async(request.lastclick.enter)("payment")
    request.lastclick.complete("o-1", ("59.90", "EUR"))
    return HttpResponse("paid")


def thanks(request):
    order = SimpleNamespace(number=request.GET.get("order", "o-1"))
    return TemplateResponse(request, "thanks.html", {"order": order})


def token(request):
    return HttpResponse(request.lastclick.token())


def back(request):
    return HttpResponse(str(request.lastclick.resume(request.GET["token"])))


def fails(request):
    request.lastclick.enter("cart")
    raise RuntimeError("the view fails")
