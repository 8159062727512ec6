"""Settings of the shop. Those that matter here are the app, the middleware and `LASTCLICK`."""

import os
import secrets
from pathlib import Path

DATA = Path(os.environ.get("SHOP_DATA", "."))

SECRET_KEY = os.environ.get("SHOP_SECRET") or secrets.token_hex()
DEBUG = bool(os.environ.get("SHOP_DEBUG"))
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "examples.django_shop.urls"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "examples.django_shop",
    "lastclick.integrations.django",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "lastclick.integrations.django.LastclickMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "django-shop.db",
        "ATOMIC_REQUESTS": True,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"

LASTCLICK = {
    "funnel": "examples.django_shop.tracking.funnel",
    "rules": "examples.django_shop.tracking.RULES",
    "value": "examples.django_shop.tracking.cart_value",
    "customer_id": "examples.django_shop.tracking.customer_id",
    "log": DATA / "django-shop-log",
}
