"""The few pages that are no part of the console: agreeing to a client, a detour, and what went wrong. HTML without
scripts; whatever comes from outside is escaped. Nobody may put them into a frame.
"""

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;background:#f4f5f7;color:#1d2433;margin:0;display:grid;"
    "place-items:center;min-height:100vh}main{background:#fff;border-radius:12px;padding:2rem 2.5rem;max-width:26rem;"
    "box-shadow:0 8px 30px #1d243322}h1{font-size:1.25rem;margin:0 0 .75rem}ul{padding-left:1.2rem}"
    "form{display:flex;gap:.75rem;margin-top:1.5rem}button{font:inherit;padding:.5rem 1.25rem;border-radius:8px;"
    "border:1px solid #2a6;background:#2a6;color:#fff;cursor:pointer}button.no{background:#fff;color:#1d2433;"
    "border-color:#c6cad3}small{color:#5b6478;overflow-wrap:anywhere}"
    "@media(prefers-color-scheme:dark){body{background:#12161f;color:#e7eaf0}main{background:#1c2230}"
    "button.no{background:#1c2230;color:#e7eaf0}small{color:#9aa3b5}}"
)
_STYLE_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()

_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "ask": "{client} wants to use your account {user}", "all": "do everything that you may do on this platform",
        "openid": "know that it is you", "profile": "see your name and language", "email": "see your e-mail address",
        "allow": "Allow", "deny": "Cancel", "goes": "You will be sent to {place}",
        "wrong": "This log-in cannot go on", "back": "Go back to the application and try again.", "on": "Going on …",
    },
    "zh": {
        "ask": "{client} 请求使用您的帐户 {user}", "all": "在本平台上执行您有权执行的所有操作",
        "openid": "确认您的身份", "profile": "查看您的姓名和语言", "email": "查看您的电子邮件地址",
        "allow": "允许", "deny": "取消", "goes": "随后将前往 {place}",
        "wrong": "无法继续登录", "back": "请返回应用程序后重试。", "on": "正在继续 …",
    },
}  # fmt: skip


def consent_page(
    request: Request, client: str, trusted: bool, user: str, scope: tuple[str, ...], place: str, ticket: str
) -> Response:
    """Whether the user agrees; the answer is a POST to /oauth/authorize with the ticket and `decision`."""
    words = _words(request)
    wishes = (["all"] if trusted else []) + list(scope or (() if trusted else ("openid",)))
    items = "".join(f"<li>{escape(words[wish])}</li>" for wish in wishes)
    title = escape(words["ask"].format(client=client, user=user))
    body = (
        f"<h1>{title}</h1><ul>{items}</ul><small>{escape(words['goes'].format(place=_origin(place)))}</small>"
        '<form method="post" action="/oauth/authorize">'
        f'<input type="hidden" name="ticket" value="{escape(ticket)}">'
        f'<button name="decision" value="allow">{escape(words["allow"])}</button>'
        f'<button class="no" name="decision" value="deny">{escape(words["deny"])}</button></form>'
    )
    return _page(request, body, 200, f"'self' {_origin(place)}")


def detour_page(request: Request, path: str) -> Response:
    """Sends the browser to a path of ours once more: coming from another site it left our cookies at home."""
    words = _words(request)
    again = f'<meta http-equiv="refresh" content="0;url={escape(path)}">'
    link = f'<h1>{escape(words["on"])}</h1><a href="{escape(path)}">{escape(words["on"])}</a>'
    return _page(request, link, 200, "'none'", again)


def problem_page(request: Request, problem: str, code: int = 400) -> Response:
    """What went wrong, for the person at the browser."""
    words = _words(request)
    body = f"<h1>{escape(words['wrong'])}</h1><p>{escape(problem)}</p><small>{escape(words['back'])}</small>"
    return _page(request, body, code, "'none'")


def _words(request: Request) -> dict[str, str]:
    return _WORDS[_language(request)]


def _language(request: Request) -> str:
    return "zh" if request.headers.get("accept-language", "").lower().startswith("zh") else "en"


def _origin(address: str) -> str:
    """Where an address leads, as a source of a Content-Security-Policy: an origin, or a scheme that apps have."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def _page(request: Request, body: str, code: int, form_action: str, head: str = "") -> Response:
    text = (
        f'<!doctype html><html lang="{_language(request)}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>Dovetail</title><style>{_STYLE}</style>{head}'
        f"</head><body><main>{body}</main></body></html>"
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {form_action}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    headers = {
        "Content-Security-Policy": policy, "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    return Response(text, code, headers, "text/html; charset=utf-8")
