"""Makes every call with the package that openapi-python-client has generated: FOLDER URL TOKEN PAGE MESSAGE."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import typing
from enum import Enum
from http import HTTPStatus
from typing import Any

from tests.clients.calls import CALLS


def snake(name: str) -> str:
    """A name as Python has it."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())


def main(folder: str, url: str, **known: str) -> None:
    """Fail at the first call that does not end as it must."""
    sys.path.insert(0, folder)
    models: Any = importlib.import_module("client.models")
    client = importlib.import_module("client").AuthenticatedClient(base_url=url, token="key")
    for call in CALLS:
        module = importlib.import_module(f"client.api.wxbot.{snake(call.name)}")
        given = {snake(name): _filled(value, known) for name, value in call.given.items()}
        if call.takes:
            fields = {name: _filled(value, known) for name, value in call.takes[1].items()}
            given["body"] = getattr(models, call.takes[0]).from_dict(fields)
        for name, hint in typing.get_type_hints(module.sync_detailed).items():
            choices = [kind for kind in typing.get_args(hint) if inspect.isclass(kind) and issubclass(kind, Enum)]
            if name in given and choices:
                given[name] = choices[0](given[name])
        answer = module.sync_detailed(client=client, **given)
        assert answer.status_code == HTTPStatus(call.status), (call, answer)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        if is_json and call.name != "openapi":
            assert answer.parsed is not None, (call, answer)
            assert (type(answer.parsed).__name__ == "ErrorResponse") == (call.status >= 400), (call, answer)


def _filled(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, str) and value[1:-1] in known:
        text = known[value[1:-1]]
        return int(text) if text.isdecimal() else text
    return value


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], token=sys.argv[3], page=sys.argv[4], message=sys.argv[5])
