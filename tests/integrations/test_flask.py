"""Flask: endpoints and templates, application factories, blueprints."""

import json
from types import SimpleNamespace

import pytest

pytest.importorskip("flask", reason="the extra 'flask' is not installed")

from flask import Blueprint, Flask, abort, render_template, render_template_string, request
from flask.views import MethodView
from jinja2 import DictLoader

from lastclick import Funnel
from lastclick.errors import ConfigError
from lastclick.integrations.flask import (
    Cookie,
    FlaskLastclick,
    Rule,
    current_checkout,
    step,
)
from lastclick.sinks import FileSink, MemorySink

RULES = [
    Rule("cart", view="shop.cart"),
    Rule("payment", template="pay.html", context={"error": ...}, reason="card_declined"),
    Rule("payment", template="pay.html"),
    Rule("order", template="thanks.html", order="order.number"),
]
pages = Blueprint("shop", __name__)


@pages.get("/cart")
def cart():
    return render_template_string("cart")


@pages.route("/details")
@step("details")
def details():
    return "details"


@pages.route("/pay", methods=["GET", "POST"])
def pay():
    if request.form.get("card") == "good":
        current_checkout.complete(request.form["number"], ("59.90", "EUR"))
        return "", 302, {"Location": "/thanks"}
    return render_template("pay.html", error=request.form.get("card"))


@pages.get("/thanks/<number>")
def thanks(number):
    return render_template("thanks.html", order=SimpleNamespace(number=number))


@pages.get("/home")
def home():
    return "home"


@pages.get("/gone")
def gone():
    abort(404)


def build(sink, **more):
    """An application factory."""
    app = Flask("shop")
    app.secret_key = "only for tests"
    app.jinja_loader = DictLoader({"pay.html": "{{ error }}", "thanks.html": "thanks"})
    app.register_blueprint(pages)
    funnel = Funnel(
        "checkout", steps=("cart", "details", "payment"), sink=sink, on_error=lambda _: 0
    )
    settings = {"rules": RULES, "on_error": lambda _: 0, **more}
    FlaskLastclick(funnel).init_app(app, **settings)
    return app


@pytest.fixture
def sink():
    return MemorySink()


def told(sink):
    return [
        " ".join(
            str(getattr(event, name))
            for name in ("type", "step", "reason", "order_id")
            if hasattr(event, name)
        )
        for event in sink.events
    ]


def attempts(sink):
    return list(dict.fromkeys(event.checkout_id for event in sink.events))


def test_a_purchase_is_told_step_by_step(sink):
    """By endpoint, decorator and template; two purchases are two attempts."""
    client = build(sink).test_client()

    for number in ("o-1", "o-2"):
        client.get("/cart")
        client.get("/details")
        client.post("/pay", data={"card": "bad"})
        client.get("/pay")
        client.post("/pay", data={"card": "good", "number": number})
        client.get(f"/thanks/{number}")

    assert told(sink)[:5] == [
        "step_entered cart",
        "step_entered details",
        "step_failed payment card_declined",
        "step_entered payment",
        "order_completed o-1",
    ]
    assert len(attempts(sink)) == 2


def test_the_cookie_comes_with_the_first_tracked_page(sink):
    """Not before; httponly, Lax, secure under TLS; and junk in it is replaced and counted."""
    app = build(sink, cookie=Cookie(name="own"))
    client = app.test_client()

    assert client.get("/home").headers.getlist("Set-Cookie") == []
    assert client.get("/gone").status_code == 404
    junk = {"Cookie": f"own={'x' * 8192}"}
    response = app.test_client(use_cookies=False).get(
        "/cart", base_url="https://localhost", headers=junk
    )
    (header,) = response.headers.getlist("Set-Cookie")

    assert {"HttpOnly", "SameSite=Lax", "Secure"} <= set(header.split("; "))
    assert "Cookie" in response.headers["Vary"]
    assert app.extensions["lastclick"].stats.faults == {"forged_cookie": 1}


def test_an_attempt_crosses_to_another_session(sink):
    """The app's secret key signs."""
    app = build(sink)
    here, there = app.test_client(), app.test_client()

    with here:
        here.get("/cart")
        token = current_checkout.token()
    with app.test_request_context("/back"):
        app.preprocess_request()
        assert current_checkout.resume(token)
        assert "GET /back" in repr(current_checkout)
        response = app.process_response(app.response_class())
    there.set_cookie("lastclick", response.headers["Set-Cookie"].split("=")[1].split(";")[0])
    there.get("/pay")

    assert len(attempts(sink)) == 1


def test_two_apps_in_one_process_are_two_shops(sink):
    """Nothing is global."""
    other = MemorySink()
    first, second = build(sink), build(other)

    first.test_client().get("/cart")
    second.test_client().get("/pay")

    assert told(sink) == ["step_entered cart"]
    assert told(other) == ["step_entered payment"]


def test_outside_a_request_the_handle_counts(sink):
    """It is never None, also in a request of an app that is not tracked."""
    before = current_checkout.outside

    current_checkout.enter("cart")
    with Flask("other").test_request_context("/"):
        current_checkout.enter("cart")

    assert current_checkout.outside == before + 2


def test_the_handle_is_there_from_init_app_on(sink):
    """A `before_request` that is registered before it comes before the handle, too."""
    app = Flask("shop")
    before = current_checkout.outside
    app.before_request(lambda: current_checkout.enter("cart"))
    FlaskLastclick(Funnel("checkout", steps=("cart", "payment"), sink=sink)).init_app(app)
    app.before_request(lambda: current_checkout.enter("payment"))

    app.test_client().get("/")

    assert told(sink) == ["step_entered payment"]
    assert current_checkout.outside == before + 1


def test_rules_that_fit_nothing_are_told_at_the_first_request(sink):
    """Once all blueprints are there; the page is unharmed."""
    said = []
    app = build(
        sink,
        rules=[Rule("cart", view="cart"), Rule("cart", template="x.html")],
        on_error=lambda error: said.append(str(error)),
    )

    with pytest.raises(ConfigError, match=r"no view 'cart'; .*; .* no template 'x.html'"):
        FlaskLastclick.check(app)
    assert said == []
    app.test_client().get("/home")
    app.test_client().get("/home")

    assert len(said) == 2
    assert "there is no view 'cart'; did you mean 'shop.cart'?" in said[0]
    assert app.extensions["lastclick"].stats.faults == {"bad_rule": 2}


def test_a_rule_at_a_method_of_a_view_is_told(sink):
    """There it is not seen; at the class it is, for one method or for all."""

    class Pay(MethodView):
        @step("payment", status=422)
        def get(self):
            return "pay"

    @step("payment", method="GET")
    class PayAgain(Pay):
        pass

    app = build(sink, rules=[])
    app.add_url_rule("/again", view_func=PayAgain.as_view("again"))

    with pytest.raises(ConfigError, match=r"^Rule\('payment', status=422\) stands at .*Pay\.get, "):
        FlaskLastclick.check(app)
    app.test_client().get("/again")
    assert told(sink) == ["step_entered payment"]


def test_wrong_settings_raise_at_once(sink):
    """No funnel, an unknown setting, settings that are none, a check before there are any."""
    with pytest.raises(ConfigError, match="no funnel"):
        FlaskLastclick().init_app(Flask("shop"))
    with pytest.raises(ConfigError, match="no setting 'rulez'; there are funnel, rules, cookie"):
        build(sink, rulez=[])
    app = Flask("shop")
    app.config["LASTCLICK"] = "shop.settings"
    with pytest.raises(ConfigError, match=r"LASTCLICK is 'shop.settings'; write it as a dict"):
        FlaskLastclick().init_app(app)
    with pytest.raises(ConfigError, match="'shop' is not tracked; call init_app before"):
        FlaskLastclick.check(app)


def test_a_second_funnel_for_an_app_is_refused(sink):
    """It would take the requests of the first one."""
    app = build(sink)
    other = Funnel("subscribe", steps=("plan",), sink=sink)

    with pytest.raises(ConfigError, match=r"'shop' is tracked already, by Funnel\('checkout'"):
        FlaskLastclick(other).init_app(app)

    app.test_client().get("/cart")
    assert told(sink) == ["step_entered cart"]


def test_settings_may_come_from_the_app(sink):
    """As a dict under one key."""
    app = Flask("shop")
    app.config["LASTCLICK"] = {"dry_run": True}
    FlaskLastclick(rules=RULES).init_app(
        app, Funnel("checkout", steps=("cart", "payment"), sink=sink)
    )

    assert app.extensions["lastclick"].dry_run
    assert app.extensions["lastclick"].rules == tuple(RULES)


def test_the_commands_report_and_check(tmp_path, sink):
    """The report in three formats; the rules with what is wrong."""
    with Funnel("checkout", steps=("cart", "payment"), sink=FileSink(tmp_path)) as funnel:
        funnel.checkout("c-1").enter("cart")
    runner = build(sink, log=tmp_path).test_cli_runner()

    def say(*arguments):
        return runner.invoke(args=["lastclick", *arguments]).output

    assert "abandonment rate" in say("report")
    assert json.loads(say("report", "--format", "json"))["started"] == 1
    assert "## checkout" in say("report", "--format", "markdown")
    assert "nowhere" in say("report", "--log", str(tmp_path / "nowhere"))
    assert "every rule fits" in say("check")
    other = build(sink, rules=[Rule("cart", view="x")]).test_cli_runner()
    assert "no log" in other.invoke(args=["lastclick", "report"]).output
    assert "no view 'x'" in other.invoke(args=["lastclick", "check"]).output
