"""The numbers of a shop that nobody here wrote equal its books and its shoppers' notes."""

import pytest

pytest.importorskip("oscar", reason="the dependency group 'shops' is not installed")
pytest.importorskip("gunicorn", reason="the dependency group 'servers' is not installed")
pytest.importorskip("httpx", reason="the dependency group 'frameworks' is not installed")

from tests.oscar.shoppers import OscarShopper, crawl, live, work
from tests.shops import Shop, ShopContract, play, postgres

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def played(request, tmp_path_factory):
    """The shop after its shoppers have gone, and what they noted."""
    server = request.getfixturevalue("server") if request.param == "postgres" else None
    shop = Shop("tests.oscar", tmp_path_factory.mktemp(request.param), postgres=server)
    return play(shop, OscarShopper, live=live, work=work, crawl=crawl)


@pytest.fixture(scope="module")
def server():
    """Where PostgreSQL listens."""
    with postgres() as folder:
        yield folder


class TestOscar(ShopContract):
    """A view for each step, redirects between them, and a decline at another page's address."""
