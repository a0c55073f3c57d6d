"""What the description of the API says about security: who may do what, and how one is refused."""

from __future__ import annotations

from typing import Any

from hybrid_ml_scheduler.service import problems
from hybrid_ml_scheduler.service.security.scopes import READ_METHODS, ROUTES, need_of

_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key (hms keys create), or the token that signing in gives."},
    "key_header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
}
_ALWAYS = (problems.WRONG_HOST, problems.TOO_MANY)
_BODY = (problems.UNREADABLE_REQUEST, problems.REQUEST_TOO_LARGE, problems.TOO_SLOW, problems.UNSUPPORTED_MEDIA)


def describe_security(description: dict[str, Any]) -> None:
    """Add to an OpenAPI description what the guard does."""
    description["components"]["securitySchemes"] = _SCHEMES
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            need = need_of(method.upper(), path)
            kinds = [*_ALWAYS]
            if need.scope is None:
                operation["security"] = []
            else:
                operation["security"] = [{name: []} for name in _SCHEMES]
                operation["description"] = f"{operation['description']}\n\nScope: {need.scope}."
                kinds += [problems.UNAUTHENTICATED, problems.FORBIDDEN]
            if method.upper() not in READ_METHODS:
                kinds.append(problems.FOREIGN_ORIGIN)
            if "requestBody" in operation:
                kinds += _BODY
            _merge(operation["responses"], problems.responses(*kinds))


def _merge(answers: dict[str, Any], more: dict[int | str, dict[str, Any]]) -> None:
    for status, answer in more.items():
        there = answers.get(str(status))
        if there is None:
            answers[str(status)] = answer
        elif answer["description"] not in there["description"]:
            there["description"] += f" Or: {answer['description']}"


def scope_table() -> str:
    """Return the table of the documentation: every route, what it needs and as what it counts."""
    lines = ["| route | scope | counted as |", "| --- | --- | --- |"]
    lines += [f"| `{route}` | {need.scope or 'none'} | {need.rate} |" for route, need in ROUTES.items()]
    return "\n".join(lines)
