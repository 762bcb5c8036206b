"""Makes every call with the package that openapi-generator (python) has generated: FOLDER URL TOKEN PAGE MESSAGE."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from tests.clients.call_with_python_client import _filled as filled
from tests.clients.call_with_python_client import snake
from tests.clients.calls import CALLS

# Where a call takes one of several models, the package wraps them in one of its own.
ALTERNATIVES = {
    "SendMessageRequest": ("PersonMessage", "GroupMessage"),
    "PutAssistantRequest": ("AssistantPut", "AssistantByAuthority", "WecomAssistantPut"),
}


def body_of(made: Any, model: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The argument that the body is given as: a model, or a mapping where any object is taken."""
    if not hasattr(made, model):
        return {"request_body": fields}
    body = getattr(made, model).from_dict(fields)
    for request, models in ALTERNATIVES.items():
        if model in models:
            return {snake(request): getattr(made, request)(body)}
    return {snake(model): body}


def main(folder: str, url: str, **known: str) -> None:
    """Fail at the first call that does not end as it must."""
    sys.path.insert(0, folder)
    made: Any = importlib.import_module("openapi_client")
    api = made.WxbotApi(made.ApiClient(made.Configuration(host=url, access_token="key")))
    for call in CALLS:
        given = {snake(name): filled(value, known) for name, value in call.given.items()}
        if call.takes:
            fields = {name: filled(value, known) for name, value in call.takes[1].items()}
            given |= body_of(made, call.takes[0], fields)
        method = getattr(api, f"{snake(call.name)}_with_http_info")
        try:
            answer = method(**given)
        except made.ApiException as error:
            assert error.status == call.status, (call, error)
            assert error.data is not None, call
            continue
        assert answer.status_code == call.status, (call, answer)
        assert answer.data is not None or call.status == 204, (call, answer)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], token=sys.argv[3], page=sys.argv[4], message=sys.argv[5])
