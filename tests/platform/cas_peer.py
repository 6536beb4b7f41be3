"""A CAS server by others: PyPI's django-cas-server, with a database in memory. Arguments: the port, a directory.

Its user is cas-ann. It runs as a process of its own, so nothing of Django gets into the tests.
"""

import os
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

PASSWORD = "cas-Passw0rd"

import django  # noqa: E402
from django.conf import settings  # noqa: E402


def configure(directory: Path) -> None:
    """A project of one application."""
    (directory / "cas_urls.py").write_text(
        "from django.urls import include, path\n"
        "urlpatterns = [path('cas/', include('cas_server.urls', namespace='cas_server'))]\n"
    )
    sys.path.insert(0, str(directory))
    middleware = ("sessions.middleware.SessionMiddleware", "auth.middleware.AuthenticationMiddleware",
                  "messages.middleware.MessageMiddleware")  # fmt: skip
    processors = ["django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
                  "django.contrib.messages.context_processors.messages"]  # fmt: skip
    settings.configure(
        SECRET_KEY=os.urandom(16).hex(), ROOT_URLCONF="cas_urls", ALLOWED_HOSTS=["*"], USE_TZ=True, STATIC_URL="/s/",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(directory / "cas.sqlite")}},
        INSTALLED_APPS=[f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions", "messages", "admin",
                                                              "staticfiles")] + ["cas_server"],
        MIDDLEWARE=[f"django.contrib.{name}" for name in middleware],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
                    "OPTIONS": {"context_processors": processors}}],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"], CAS_SLO_TIMEOUT=1,
        DEFAULT_AUTO_FIELD="django.db.models.AutoField", CAS_NEW_VERSION_HTML_WARNING=False,
        CAS_SHOW_POWERED=False,
    )  # fmt: skip
    django.setup()


def fill() -> None:
    """A user, and leave for every service."""
    from cas_server.models import ServicePattern
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0, run_syncdb=True)
    User.objects.create_user("cas-ann", password=PASSWORD)
    ServicePattern.objects.create(name="all", pattern=r"^http://127\.0\.0\.1:30880/oauth/callback/.*$", user_field="")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    port, directory = int(sys.argv[1]), Path(sys.argv[2])
    configure(directory)
    fill()
    from django.core.wsgi import get_wsgi_application

    with make_server("127.0.0.1", port, get_wsgi_application(), _Server, _Quiet) as server:
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
