"""One view, one address and one log: the numbers of Mezzanine's Cartridge equal its books."""

import pytest

pytest.importorskip("httpx", reason="the dependency group 'frameworks' is not installed")

from tests.cartridge.shoppers import CartridgeShopper, crawl, live, work
from tests.shops import ROOT, Shop, ShopContract, play, postgres

PYTHON = ROOT / ".venv-cartridge" / "bin" / "python"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not PYTHON.exists(),
        reason="Cartridge wants an older Django; `make test-long` sets up .venv-cartridge for it",
    ),
]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def played(request, tmp_path_factory):
    """The shop after its shoppers have gone, and what they noted."""
    folder = tmp_path_factory.mktemp(request.param)
    server = request.getfixturevalue("server") if request.param == "postgres" else None
    shop = Shop("tests.cartridge", folder, python=str(PYTHON), postgres=server)
    return play(shop, CartridgeShopper, live=live, work=work, crawl=crawl)


@pytest.fixture(scope="module")
def server():
    """Where PostgreSQL listens."""
    with postgres() as folder:
        yield folder


class TestCartridge(ShopContract):
    """One page after the other at one address; back is a POST, and so is a decline."""
