"""Cartridge's own shop: the settings of its project template, with our payment and shipping.

``SHOP_FOLDER`` is where it keeps its database and its log. With
``SHOP_POSTGRES``, the folder of a PostgreSQL socket, the database is there.
"""

import locale
import os
from pathlib import Path

from mezzanine.utils.conf import set_dynamic_settings

FOLDER = Path(os.environ["SHOP_FOLDER"])

SECRET_KEY = NEVERCACHE_KEY = "only for tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
SITE_ID = 1
SITE_TITLE = "Mugs"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
STATIC_URL = "/static/"
MEDIA_URL = "/media/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "tests.cartridge.urls"
PACKAGE_NAME_FILEBROWSER = "filebrowser_safe"
PACKAGE_NAME_GRAPPELLI = "grappelli_safe"
OPTIONAL_APPS = (PACKAGE_NAME_FILEBROWSER, PACKAGE_NAME_GRAPPELLI)
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.redirects",
    "django.contrib.sessions",
    "django.contrib.sites",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "mezzanine.boot",
    "mezzanine.conf",
    "mezzanine.core",
    "mezzanine.generic",
    "mezzanine.pages",
    "cartridge.shop",
    "mezzanine.accounts",
    "lastclick.integrations.django",
]
MIDDLEWARE = [
    "mezzanine.core.middleware.UpdateCacheMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "cartridge.shop.middleware.ShopMiddleware",
    "lastclick.integrations.django.LastclickMiddleware",
    "mezzanine.core.request.CurrentRequestMiddleware",
    "mezzanine.core.middleware.RedirectFallbackMiddleware",
    "mezzanine.core.middleware.AdminLoginInterfaceSelectorMiddleware",
    "mezzanine.core.middleware.SitePermissionMiddleware",
    "mezzanine.pages.middleware.PageMiddleware",
    "mezzanine.core.middleware.FetchFromCacheMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.static",
                "django.template.context_processors.media",
                "django.template.context_processors.request",
                "mezzanine.conf.context_processors.settings",
                "mezzanine.pages.context_processors.page",
            ],
            "builtins": ["mezzanine.template.loader_tags"],
        },
    }
]
if os.environ.get("SHOP_POSTGRES"):
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["SHOP_POSTGRES"],
            "NAME": "postgres",
            "USER": "postgres",
            "CONN_MAX_AGE": 60,
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "tests.cartridge.sqlite",
            "NAME": FOLDER / "shop.db",
            "OPTIONS": {"timeout": 30},
        }
    }
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django.request": {"handlers": ["console"], "level": "ERROR"}},
}

# Prices are shown by the machine's locale, and a slim machine has none that knows a currency.
SHOP_CURRENCY_LOCALE = "C.UTF-8"
locale._override_localeconv.update(
    currency_symbol="EUR", frac_digits=2, mon_decimal_point=".", p_cs_precedes=1, p_sep_by_space=1
)
SHOP_HANDLER_BILLING_SHIPPING = "tests.cartridge.shop.shipping"
SHOP_HANDLER_PAYMENT = "tests.cartridge.shop.payment"
SHOP_HANDLER_ORDER = "tests.cartridge.tracking.record"

LASTCLICK = {
    "funnel": "tests.cartridge.tracking.funnel",
    "rules": "tests.cartridge.tracking.RULES",
    "customer_id": "tests.cartridge.tracking.customer_id",
    "value": "tests.cartridge.tracking.cart_value",
    "attributes": "tests.cartridge.tracking.label",
    "log": FOLDER / "log",
}

set_dynamic_settings(globals())
