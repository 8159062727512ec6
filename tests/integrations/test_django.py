"""Django: what responses mean, who is in front of us, and orders that wait for their commit."""

import asyncio
import json
import subprocess
import sys
from io import StringIO

import pytest

pytest.importorskip("django", reason="the extra 'django' is not installed")

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import transaction
from django.dispatch import Signal
from django.test import AsyncClient, Client, RequestFactory
from django.test.utils import override_settings

from lastclick import Funnel, errors
from lastclick.errors import ConfigError, EventError
from lastclick.integrations.django import (
    Cookie,
    Rule,
    current_checkout,
    never_raises,
    record_order,
    tracking,
)
from lastclick.integrations.django._checks import found
from lastclick.sinks import FileSink, MemorySink
from lastclick.testing import capture
from tests.integrations.djangoshop import settings as shop
from tests.integrations.djangoshop.tracking import RULES


@pytest.fixture(scope="module", autouse=True)
def database():
    """The shop's tables, once."""
    call_command("migrate", verbosity=0)


class Shop:
    """A sink, and what was told to it in short."""

    def __init__(self, **more):
        self.sink = MemorySink()
        self.funnel = Funnel(
            "checkout", steps=("cart", "details", "payment"), sink=self.sink, on_error=lambda _: 0
        )
        self.settings = {**shop.LASTCLICK, "funnel": self.funnel, "on_error": lambda _: 0, **more}

    def told(self):
        return [
            " ".join(
                str(getattr(event, name))
                for name in ("type", "step", "reason", "order_id")
                if hasattr(event, name)
            )
            for event in self.sink.events
        ]

    @property
    def attempts(self):
        return list(dict.fromkeys(event.checkout_id for event in self.sink.events))


@pytest.fixture
def set_up():
    """Makes a shop with settings of its own."""
    with override_settings():

        def make(**more):
            made = Shop(**more)
            override = override_settings(LASTCLICK=made.settings)
            override.enable()
            overrides.append(override)
            return made

        overrides = []
        yield make
        for override in reversed(overrides):
            override.disable()


def walk(client, number="o-1"):
    client.get("/cart/")
    client.get("/checkout/details/")
    client.get("/checkout/payment/")
    client.post("/checkout/payment/", {"number": number})
    client.get(f"/thanks/?order={number}")


def test_a_purchase_is_told_step_by_step(set_up):
    """Templates, a decorated view and an order, all of one attempt."""
    own = set_up()

    walk(Client())

    assert own.told() == [
        "step_entered cart",
        "step_entered details",
        "step_entered payment",
        "order_completed o-1",
        "order_completed o-1",  # the view and a signal both say it
    ]
    assert len(own.attempts) == 1
    assert str(own.sink.events[0].value) == "EUR 59.90"
    assert own.sink.events[0].customer_id is None


def test_failures_are_told_apart_from_their_page(set_up):
    """What a template was given, and the status, tell a failure from a page."""
    own = set_up()
    client = Client()

    client.post("/checkout/details/")
    client.post("/checkout/payment/", {"card": "bad"})

    assert own.told() == [
        "step_failed details invalid_address",
        "step_failed payment card_declined",
    ]


def test_a_page_without_a_rule_sets_nothing(set_up):
    """The cookie comes with the first tracked page: httponly, Lax, not over TLS only."""
    set_up()
    client = Client()

    assert not client.get("/").cookies
    cookie = client.get("/cart/").cookies["lastclick"]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["secure"]
    assert cookie["max-age"] == 30 * 24 * 3600


def test_the_cookie_is_secure_under_tls(set_up):
    """Over TLS the cookie stays on TLS."""
    set_up(cookie=Cookie(name="shop_attempt", domain="shop.example"))

    cookie = Client().get("/cart/", secure=True).cookies["shop_attempt"]

    assert cookie["secure"]
    assert cookie["domain"] == "shop.example"


def test_the_page_with_a_cookie_is_not_shared(set_up):
    """Caches are told that the page differs by cookie."""
    set_up()

    assert "Cookie" in Client().get("/cart/")["Vary"]


@pytest.mark.parametrize("value", ["1", "x" * 8192, "ada@example.com", "é" * 22, "A" * 22 + ".o.x"])
def test_junk_in_the_cookie_is_replaced_and_counted(set_up, value):
    """The page is unharmed, the attempt gets an id of ours, and the junk is counted."""
    own = set_up()
    client = Client()
    client.cookies["lastclick"] = value

    response = client.get("/cart/")

    assert response.status_code == 200
    assert own.told() == ["step_entered cart"]
    assert response.cookies["lastclick"].value == own.attempts[0] != value
    assert tracking().stats.faults == {"forged_cookie": 1}


def test_an_order_ends_the_attempt_at_its_thank_you_page(set_up):
    """The next cart is a new attempt, and the old thank-you page shown again ends nothing."""
    own = set_up()
    client = Client()

    walk(client)
    client.get("/cart/")
    client.get("/thanks/?order=o-1")
    client.get("/checkout/details/")

    assert len(own.attempts) == 2
    second = [event.step for event in own.sink.events if event.checkout_id == own.attempts[1]]
    assert second == ["cart", "details"]


def test_an_order_ends_the_attempt_at_the_next_first_step(set_up):
    """Without the thank-you page, the next first step is a new attempt."""
    own = set_up(rules=[*RULES[:3]])
    client = Client()

    walk(client, "o-1")
    walk(client, "o-2")

    assert len(own.attempts) == 2


def test_an_order_that_is_rejected_ends_no_attempt(set_up):
    """An order without an id is none: the shopper is where they were."""
    own = set_up()
    client = Client()

    client.get("/cart/")
    client.post("/checkout/payment/", {"number": ""})
    client.get("/cart/")

    assert own.told() == ["step_entered cart", "step_entered cart"]
    assert len(own.attempts) == 1


def test_an_order_of_another_process_ends_the_attempt(set_up):
    """A webhook ordered: the shop says so when the next first step comes, else at the thank-you."""
    paid = set()
    own = set_up(has_ordered=lambda attempt: attempt in paid)
    client = Client()

    client.get("/cart/")
    record_order(own.attempts[0], "o-1", ("59.90", "EUR"))
    paid.add(own.attempts[0])
    client.get("/cart/")
    record_order(own.attempts[1], "o-2", ("59.90", "EUR"))
    client.get("/thanks/?order=o-2")
    client.get("/checkout/details/")

    assert len(own.attempts) == 3


def test_what_is_rolled_back_was_no_order(set_up):
    """An order is recorded when its transaction is committed, and not otherwise."""
    own = set_up()

    Client().post("/checkout/payment/", {"rollback": "1"})

    assert own.told() == []


def test_an_order_of_a_webhook_waits_for_the_commit(set_up):
    """Within a transaction nothing is told; after it, once for each teller."""
    own = set_up()

    with transaction.atomic():
        record_order("c-1", "o-1", ("59.90", "EUR"), customer_id=7)
        assert own.told() == []

    assert own.told() == ["order_completed o-1"]
    assert own.sink.events[0].customer_id == "7"


@pytest.mark.parametrize("rolled_back", ["default", "orders", None])
@pytest.mark.parametrize("outer", ["default", "orders"])
def test_an_order_waits_for_every_database(set_up, outer, rolled_back):
    """Of two transactions that are open, the order is recorded when both are committed."""
    own = set_up()
    inner = "orders" if outer == "default" else "default"

    with transaction.atomic(using=outer):
        with transaction.atomic(using=inner):
            record_order("c-1", "o-1", ("59.90", "EUR"))
            transaction.set_rollback(rolled_back == inner, using=inner)
        assert own.told() == []
        transaction.set_rollback(rolled_back == outer, using=outer)

    assert own.told() == ([] if rolled_back else ["order_completed o-1"])
    assert tracking().stats.faults == {}


def test_an_order_of_async_code_is_recorded(set_up):
    """It has no transaction open, so the order is recorded at once; hooks may ask in a thread."""
    own = set_up(customer_id=lambda request: User.objects.count())

    async def webhook():
        record_order("c-1", "o-2", ("59.90", "EUR"))

    assert asyncio.run(AsyncClient().get("/pay/")).content == b"paid"
    asyncio.run(webhook())

    assert own.told() == ["step_entered payment", "order_completed o-1", "order_completed o-2"]
    assert own.sink.events[0].customer_id == str(User.objects.count())
    assert tracking().stats.faults == {}


def test_an_async_receiver_sees_the_transaction_from_a_thread(set_up):
    """Django runs the thread where the signal was sent."""
    own = set_up()
    signal = Signal()

    async def receiver(sender, **kwargs):
        await sync_to_async(record_order)("c-1", "o-1", ("59.90", "EUR"))

    signal.connect(receiver)
    with transaction.atomic():
        signal.send("the shop")
        assert own.told() == []

    assert own.told() == ["order_completed o-1"]


def test_a_wrong_order_fails_the_test_that_captures(set_up):
    """What on_error raises, the commit raises; an unknown argument raises where it stands."""
    own = set_up()
    client = Client()

    with capture(own.funnel) as captured:
        with pytest.raises(EventError, match="order_id is empty"):
            client.post("/checkout/payment/", {"number": ""})
        with pytest.raises(EventError, match="order_id is None"):
            record_order("c-1", None, ("59.90", "EUR"))

    assert captured.events == []
    with pytest.raises(TypeError, match="customer_id"):
        current_checkout.complete("o-1", ("59.90", "EUR"), customer_id=5)
    with transaction.atomic(), pytest.raises(TypeError, match="custom_id"):
        record_order("c-1", "o-1", ("59.90", "EUR"), custom_id=5)


def test_a_transaction_by_hand_takes_no_order(set_up):
    """Django cannot say when it ends, so the order is counted as not recorded."""
    own = set_up()

    transaction.set_autocommit(False)
    try:
        record_order("c-1", "o-1", ("59.90", "EUR"))
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)

    assert own.told() == []
    assert tracking().stats.faults == {"not_committed": 1}


def test_a_shop_without_a_database_records_orders():
    """There is no transaction to wait for."""
    program = """
import django
from django.conf import settings

from lastclick import Funnel
from lastclick.sinks import MemorySink

sink = MemorySink()
funnel = Funnel("checkout", steps=("cart",), sink=sink)
apps = ["lastclick.integrations.django"]
settings.configure(
    SECRET_KEY="x", DATABASES={}, INSTALLED_APPS=apps, LASTCLICK={"funnel": funnel}
)
django.setup()

from lastclick.integrations.django import record_order

record_order("c-1", "o-1", ("59.90", "EUR"))
print(*[event.type for event in sink.events])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("order_completed\n", "")


def test_logging_in_keeps_the_attempt_and_marks_staff(set_up):
    """The session changes at login, our cookie does not; the shop's own people are marked."""
    own = set_up()
    client = Client()
    staff = User.objects.create_user("mia", is_staff=True)

    client.get("/cart/")
    client.force_login(staff)
    client.get("/checkout/details/")

    assert len(own.attempts) == 1
    assert own.sink.events[0].attributes == {}
    assert own.sink.events[1].attributes == {"traffic": "staff"}
    assert own.sink.events[1].customer_id == str(staff.pk)


def test_robots_get_an_attempt_of_their_own(set_up):
    """A page fetched in advance does not make its shopper a robot, and robots get no cookie."""
    own = set_up()
    client = Client()

    client.get("/cart/")
    prefetched = client.get("/checkout/details/", headers={"Sec-Purpose": "prefetch"})
    crawled = Client().get("/cart/", headers={"User-Agent": "Googlebot/2.1"})

    assert not prefetched.cookies
    assert not crawled.cookies
    assert len(own.attempts) == 3
    assert [event.attributes.get("traffic") for event in own.sink.events] == [None, "bot", "bot"]


def test_without_consent_nothing_is_recorded_and_nothing_set(set_up):
    """The handle is there, records nothing, and counts."""
    own = set_up(consent=lambda request: False)

    response = Client().get("/cart/")

    assert not response.cookies
    assert own.told() == []
    assert tracking().stats.unrecorded == {"no_consent": 1}
    assert tracking().stats.cookieless == {}


def test_steps_can_be_counted_without_a_cookie(set_up):
    """By choice, those without consent are counted by step, and nothing else."""
    set_up(consent=lambda request: "yes" in request.GET, without_consent="steps")
    client = Client()

    client.get("/cart/")
    client.get("/cart/")
    client.get("/checkout/payment/")

    assert tracking().stats.cookieless == {"cart": 2, "payment": 1}
    assert client.get("/cart/?yes").cookies


def test_a_hook_that_raises_costs_no_page(set_up):
    """Its error is counted; what it would have said is left out. Consent that fails is none."""
    own = set_up(customer_id=lambda request: 1 / 0, value=lambda request: request.cart)

    assert Client().get("/cart/").status_code == 200
    assert own.told() == ["step_entered cart"]
    assert tracking().stats.faults == {"hook_raised": 2}

    own = set_up(consent=lambda request: 1 / 0)
    Client().get("/cart/")
    assert own.told() == []


def test_a_sink_that_is_down_costs_no_page(set_up, tmp_path):
    """The page is there, and the funnel counts what its sink could not keep."""
    own = set_up()
    own.sink.close(0.0)

    walk(Client())

    assert own.told() == []
    assert own.funnel.stats.undelivered == {"closed": 5}


def test_an_attempt_crosses_to_another_session(set_up):
    """A signed value carries it; a forged one changes nothing and is counted."""
    own = set_up()
    here, there = Client(), Client()

    here.get("/cart/")
    token = here.get("/token/").content.decode()
    assert there.get("/back/", {"token": token}).content == b"True"
    there.get("/checkout/payment/")
    assert len(own.attempts) == 1
    assert tracking().checkout(token).enter("details") is None
    assert len(own.attempts) == 1

    assert there.get("/back/", {"token": token[:-2] + "xx"}).content == b"False"
    assert tracking().stats.faults == {"bad_token": 1}
    tracking().checkout("x").enter("cart")
    assert tracking().stats.unrecorded == {"bad_token": 1}


def test_a_shop_may_name_its_attempts(set_up):
    """With an id of the shop's own no cookie is set; without an id nothing is recorded."""
    own = set_up(checkout_id=lambda request: request.GET.get("basket"))

    assert not Client().get("/cart/?basket=77").cookies
    Client().get("/cart/")

    assert own.attempts == ["77"]
    assert tracking().stats.unrecorded == {"no_checkout_id": 1}


def test_a_dry_run_only_says_what_would_be(set_up, caplog):
    """Nothing is recorded and nothing set; the log says what each request would have recorded."""
    own = set_up(dry_run=True)

    with caplog.at_level("INFO", "lastclick"):
        response = Client().get("/cart/")

        Client().get("/")

    assert "GET /cart/: would enter('cart', ('59.90', 'EUR'))" in caplog.text
    assert "GET /: no rule fits Answer(" in caplog.text
    assert not response.cookies
    assert own.told() == []


def test_a_dry_run_records_no_order_of_a_webhook(set_up, caplog):
    """An attempt may be known from before."""
    own = set_up(dry_run=True)

    with caplog.at_level("INFO", "lastclick"):
        record_order("c-1", "o-1", ("59.90", "EUR"))

    assert own.told() == []
    assert "record_order: would complete('o-1', ('59.90', 'EUR'))" in caplog.text
    assert tracking().stats.unrecorded == {"dry_run": 1}


@pytest.mark.parametrize("kept", [None, ""])
def test_an_order_of_an_attempt_that_was_not_recorded_is_no_loss(set_up, kept):
    """Without consent the handle's id is None; the webhook's order is counted, and no error."""
    own = set_up()

    record_order(kept, "o-1", ("59.90", "EUR"))

    assert own.sink.records == []
    assert own.funnel.stats.rejected == {}
    assert tracking().stats.unrecorded == {"no_checkout_id": 1}


def test_untracked_paths_record_nothing(set_up):
    """On them the handle is one that counts."""
    own = set_up(untracked=["/fails/*", "/cart/*"])

    Client().get("/cart/")

    assert own.told() == []
    assert tracking().stats.unrecorded == {"untracked": 1}


def test_a_view_that_fails_keeps_its_own_error(set_up):
    """What was told before stays told; the error page is the framework's."""
    own = set_up()
    client = Client(raise_request_exception=False)

    assert client.get("/fails/").status_code == 500
    assert own.told() == ["step_entered cart"]


def test_async_views_and_servers_are_one_middleware(set_up):
    """The same class, its hooks allowed to ask the database."""
    own = set_up(customer_id=lambda request: User.objects.count())

    async def visit():
        client = AsyncClient()
        await client.get("/cart/")
        await client.get("/checkout/class/")
        await client.get("/")
        await client.post("/checkout/payment/", {"number": "o-9"})

    asyncio.run(visit())

    assert own.told()[:2] == ["step_entered cart", "step_entered details"]
    assert own.told()[2:] == ["order_completed o-9"] * 2
    assert len(own.attempts) == 1
    assert "hook_raised" not in tracking().stats.faults


def test_outside_a_request_the_handle_counts():
    """It is never None."""
    before = current_checkout.outside

    current_checkout.enter("cart")
    current_checkout.complete("o-1", ("1", "EUR"))

    assert current_checkout.outside == before + 2
    assert current_checkout.checkout_id is None
    assert current_checkout.token() == ""
    assert not current_checkout.resume("x")
    assert "outside" in repr(current_checkout)


def test_a_receiver_never_raises(set_up):
    """What it raises is counted."""
    set_up()

    @never_raises
    def receiver(sender):
        raise RuntimeError("no such order")

    assert receiver(None) is None
    assert tracking().stats.faults == {"receiver_raised": 1}


def test_an_async_receiver_never_raises_either(set_up):
    """Django awaits it as it would without the decorator."""
    set_up()
    signal, given = Signal(), []

    @never_raises
    async def good(sender, **kwargs):
        given.append(sender)
        return "recorded"

    @never_raises
    async def bad(sender, **kwargs):
        raise RuntimeError("no such order")

    signal.connect(good)
    signal.connect(bad)

    assert [answer for _, answer in signal.send("the shop")] == ["recorded", None]
    assert given == ["the shop"]
    assert tracking().stats.faults == {"receiver_raised": 1}


def test_a_receiver_does_not_raise_without_settings_either(caplog, monkeypatch):
    """There is nothing to count with, as in a worker without our middleware: it is logged."""
    monkeypatch.setattr(errors, "_logged", {})

    @never_raises
    def receiver(sender):
        record_order("c-1", "o-1", ("59.90", "EUR"))

    with override_settings(LASTCLICK=None):
        assert receiver(None) is None

    assert 'receiver raised ConfigError("LASTCLICK is None;' in caplog.text


def test_the_checks_find_what_is_not_there(set_up):
    """Views and templates that do not exist, and a middleware in the wrong place."""
    set_up(
        rules=[
            Rule("cart", view="basket:cart"),
            Rule("cart", template="none.html"),
        ]
    )
    with override_settings(MIDDLEWARE=shop.MIDDLEWARE[::-1]):
        said = [f"{message.id} {message.msg}" for message in found()]

    text = "\n".join(said)
    assert "E002 Rule('cart', view='basket:cart'): there is no view 'basket:cart'; did" in text
    assert "Rule('cart', template='none.html'): there is no template 'none.html'" in text
    said = said[2:]
    assert [line[:14] for line in said] == ["lastclick.W001"] * 2
    with override_settings(MIDDLEWARE=[]):
        assert "nothing is recorded" in found()[-1].msg


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (None, "LASTCLICK is None"),
        ({}, "write LASTCLICK = "),
        ("shop.tracking", "LASTCLICK is 'shop.tracking'"),
        ({"funnel": "tests.nowhere.funnel"}, "tests.nowhere"),
        ({"funnel": 5}, "funnel is 5"),
        ({**shop.LASTCLICK, "rulez": []}, "no setting 'rulez'"),
        ({**shop.LASTCLICK, "rules": "django.VERSION"}, "pass a list of Rule"),
        ({**shop.LASTCLICK, "rules": [Rule("pay")]}, "no step 'pay'"),
        ({**shop.LASTCLICK, "cookie": "x.y"}, "'cookie'"),
        ({**shop.LASTCLICK, "cookie": 5}, "cookie is 5"),
        ({**shop.LASTCLICK, "consent": 5}, "consent is 5"),
        ({**shop.LASTCLICK, "without_consent": "x"}, "without_consent"),
        ({**shop.LASTCLICK, "log": 5}, "LASTCLICK['log'] is 5; pass the directory"),
    ],
)
def test_wrong_settings_are_named(settings, said):
    """By the check and the report as an error, and at once by the middleware."""
    with override_settings(LASTCLICK=settings):
        (message,) = found()
        assert said in message.msg
        with pytest.raises(CommandError) as raised:
            call_command("lastclick_report")
        assert said in str(raised.value)
        with pytest.raises(ConfigError, match=r"\w"):
            Client().get("/")


def test_the_commands_report_and_check(set_up, tmp_path):
    """The report in three formats; the rules with what is wrong."""
    own = set_up(log=tmp_path)
    with Funnel("checkout", steps=("cart", "payment"), sink=FileSink(tmp_path)) as funnel:
        funnel.checkout("c-1").complete("o-1", ("1", "EUR"))
        funnel.checkout("c-1").enter("cart")
    assert own.funnel.name == "checkout"

    def say(*command):
        out = StringIO()
        call_command(*command, stdout=out)
        return out.getvalue()

    assert "abandonment rate" in say("lastclick_report")
    assert json.loads(say("lastclick_report", "--format", "json"))["started"] == 1
    assert "## checkout" in say("lastclick_report", "--format", "markdown")
    checked = say("lastclick_check")
    assert "Rule('cart', template='cart.html')" in checked
    assert "Rule('details', method='POST', status=422, reason='invalid_address') at" in checked
    assert say("check") == "System check identified no issues (0 silenced).\n"
    with pytest.raises(CommandError, match="nowhere"):
        call_command("lastclick_report", "--log", str(tmp_path / "nowhere"))
    with override_settings(LASTCLICK=None), pytest.raises(CommandError, match="LASTCLICK is None"):
        call_command("lastclick_check")
    set_up(log=None)
    with pytest.raises(CommandError, match="name it"):
        call_command("lastclick_report")


def test_staff_see_the_report_in_the_admin(set_up, tmp_path):
    """Nobody else does; and what cannot be read is said."""
    set_up(log=tmp_path)
    with Funnel("checkout", steps=("cart", "payment"), sink=FileSink(tmp_path)) as funnel:
        funnel.checkout("c-1", attributes={"device": "<b>"}).enter("cart")
    client = Client()

    assert client.get("/admin/lastclick/").status_code == 302
    client.force_login(User.objects.create_user("ida", is_staff=True))
    page = client.get("/admin/lastclick/?by=device").content.decode()

    assert "abandonment rate" in page
    assert "<b>" not in page
    set_up(log=tmp_path / "nowhere")
    assert "nowhere" in client.get("/admin/lastclick/").content.decode()


def test_a_template_object_has_its_name():
    """A view may give a template rather than a name."""
    from django.template.loader import get_template
    from django.template.response import TemplateResponse

    from lastclick.integrations.django._middleware import _templates

    request = RequestFactory().get("/")

    assert _templates(TemplateResponse(request, get_template("cart.html"))) == ("cart.html",)
