"""知识: keywords, questions, unanswered questions, and trying out a message."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from pydantic import ValidationError
from sqlmodel import Session

from api.app_keys import CONTAINER
from api.body import field, lines, number, read_large_object, read_object, text
from api.query import text_parameter
from api.responses import iso, json_response
from config.customer_service import KeywordRule
from console.access import VISITOR
from errors import InvalidParameter
from models.faq import Question
from models.keywords import Keyword
from models.schema import MAX_ID
from services.support.faq import Entry
from services.support.missed_questions import most_missed
from services.support.rule_files import export_keywords, export_questions

MISS_DAYS = 30
MAX_MISSED = 100


async def read(request: web.Request) -> web.Response:
    """GET /console/api/knowledge?assistant=: all rules and questions, without pages."""
    container, account = request.app[CONTAINER], _account(request)
    since = (datetime.now(container.zone) - timedelta(days=MISS_DAYS)).date().isoformat()

    def load(session: Session) -> Any:
        keywords = container.keywords.added_rows(session, account, None)
        return (
            keywords,
            container.faq_entries.added_rows(session),
            most_missed(session, MAX_MISSED, account=account, since=since),
        )

    keywords, questions, misses = await container.store.read(load)
    return json_response(
        {
            "keywords": [_keyword(row) for row in keywords],
            "configured_keywords": [
                rule.model_dump(mode="json", exclude_defaults=True)
                for rule in container.config.customer_service.keywords
            ],
            "questions": [_question(row) for row in questions],
            "configured_questions": [entry.model_dump() for entry in container.faq_entries.entries],
            "faq_file": container.config.customer_service.faq,
            "passages": [
                {"title": passage.title, "text": passage.answer, "source": passage.source}
                for passage in container.faq_entries.passages
            ],
            "misses": [{"question": question, "count": count} for question, count in misses],
        }
    )


def _account(request: web.Request) -> str:
    name = text_parameter(request, "assistant") or next(iter(request.app[CONTAINER].accounts.names()), "")
    request.app[CONTAINER].accounts.get(name)
    return name


def _keyword(row: Keyword) -> dict[str, Any]:
    reply = json.loads(row.reply) if row.parts else row.reply
    return {"id": row.id, "kind": row.kind, "word": row.word, "where": row.place, "reply": reply, "by": row.by}


def _question(row: Question) -> dict[str, Any]:
    return {
        "id": row.id,
        "questions": row.questions,
        "answer": row.answer,
        "by": row.by,
        "updated_at": iso(row.updated_at),
    }


async def explain(request: web.Request) -> web.Response:
    """POST /console/api/knowledge/try {text, group?}: explain which rule answers."""
    body = await read_object(request)
    question, group = text(body, "text"), body.get("group") is True
    return json_response(
        {"explanation": asdict(request.app[CONTAINER].explainer.explain(_account(request), question, group=group))}
    )


async def put_keyword(request: web.Request) -> web.Response:
    """POST /console/api/keyword {kind, word, reply, where}: add a rule, or with {id} replace one."""
    container, actor, account = request.app[CONTAINER], request[VISITOR].actor, _account(request)
    body = await read_object(request)
    try:
        rule = KeywordRule.model_validate(
            {field(body, "kind"): field(body, "word"), "reply": text(body, "reply"), "where": body.get("where", "both")}
        )
    except ValidationError:
        raise InvalidParameter("keyword") from None
    old, editor = _id_to_change(body), container.knowledge_editor
    row = await container.store.write(lambda s: editor.put_keyword(s, account, None, rule, actor, old))
    return json_response({"keyword": {"id": row.id}}, 201)


def _id_to_change(body: dict[str, Any]) -> int | None:
    """Return the id of the entry to change; None for a new one."""
    number = body.get("id")
    if number is not None and (type(number) is not int or not 0 < number <= MAX_ID):
        raise InvalidParameter("id")
    return number


async def remove_keyword(request: web.Request) -> web.Response:
    """DELETE /console/api/keyword/{id}."""
    container, actor, row_id = request.app[CONTAINER], request[VISITOR].actor, number(request)
    await container.store.write(lambda s: container.knowledge_editor.remove_keyword(s, row_id, actor))
    return web.Response(status=204)


async def put_question(request: web.Request) -> web.Response:
    """POST /console/api/question {questions, answer}: add a question, or with {id} change one."""
    container, actor = request.app[CONTAINER], request[VISITOR].actor
    body = await read_object(request)
    questions, answer, old = lines(body, "questions"), text(body, "answer"), _id_to_change(body)
    if not questions:
        raise InvalidParameter("questions")
    entry, editor = Entry(questions=questions, answer=answer), container.knowledge_editor
    row, _ = await container.store.write(lambda s: editor.put_question(s, entry, actor, old))
    return json_response({"question": {"id": row.id}}, 201)


async def remove_question(request: web.Request) -> web.Response:
    """DELETE /console/api/question/{id}."""
    container, actor, row_id = request.app[CONTAINER], request[VISITOR].actor, number(request)
    await container.store.write(lambda s: container.knowledge_editor.remove_question(s, row_id, actor))
    return web.Response(status=204)


async def export(request: web.Request) -> web.Response:
    """GET /console/api/knowledge/{what}.yaml: export the added keywords or questions."""
    container, account, kind = request.app[CONTAINER], _account(request), request.match_info["what"]
    if kind == "keywords":
        data = await container.store.read(lambda s: export_keywords(s, container.keywords, account, None))
    else:
        data = await container.store.read(lambda s: export_questions(s, container.faq_entries))
    headers = {"Content-Disposition": f'attachment; filename="{kind}.yaml"', "X-Content-Type-Options": "nosniff"}
    return web.Response(text=data, content_type="application/yaml", headers=headers)


async def import_(request: web.Request) -> web.Response:
    """POST /console/api/knowledge/{what}.yaml {yaml}: import keywords or questions in one transaction."""
    container, account, kind = request.app[CONTAINER], _account(request), request.match_info["what"]
    actor, body = request[VISITOR].actor, await read_large_object(request)
    text = body.get("yaml")
    if not isinstance(text, str):
        raise InvalidParameter("yaml")

    editor = container.knowledge_editor

    def write(session: Session) -> int:
        if kind == "keywords":
            return editor.import_keywords(session, account, text, actor)
        return editor.import_questions(session, text, actor)

    return json_response({"imported": await container.store.write(write)})
