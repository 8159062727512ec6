"""The smallest Django project with a checkout, for the tests and for the docs' examples."""

import tempfile
from pathlib import Path

HERE = "tests.integrations.djangoshop"
FOLDER = Path(tempfile.mkdtemp(prefix="lastclick-django-"))

SECRET_KEY = "only for tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = f"{HERE}.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "lastclick.integrations.django",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
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
            ],
            "loaders": [
                (
                    "django.template.loaders.locmem.Loader",
                    {"cart.html": "cart", "payment.html": "payment", "thanks.html": "thanks"},
                ),
                "django.template.loaders.app_directories.Loader",
            ],
        },
    }
]
TEMPLATES[0].pop("APP_DIRS")
DATABASES = {
    name: {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / f"{name}.db"}
    for name in ("default", "orders")
}
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LASTCLICK = {
    "funnel": f"{HERE}.tracking.funnel",
    "rules": f"{HERE}.tracking.RULES",
    "log": FOLDER / "log",
    "value": f"{HERE}.tracking.cart_value",
    "customer_id": f"{HERE}.tracking.customer",
}
