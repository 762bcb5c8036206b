"""Webhook events about sent and failed messages, with the number of the group they went to."""

from __future__ import annotations

from sqlmodel import Session

from services.groups.groups import Groups
from services.messaging.body_type import BodyType
from services.messaging.messages import QUEUE
from services.messaging.webhook_events import WebhookEvents
from services.work.job import GiveUp, Job
from services.work.outbox import Outbox


class MessageEvents:
    """Reports the outcome of messages."""

    def __init__(self, outbox: Outbox, groups: Groups, webhook_events: WebhookEvents) -> None:
        self._groups = groups
        self._webhook_events = webhook_events
        outbox.results.on_failed(self._message_failed)
        outbox.results.on_sent(self._message_sent)

    def _message_sent(self, session: Session, job: Job) -> None:
        queue, _, account = job.queue.partition(":")
        if queue != QUEUE or job.body["type"] == BodyType.LEAVE or not self._webhook_events.wants("message.sent"):
            return
        qun = self._groups.by_room(account, job.key)
        data = {"message": job.id, "assistant": account, "to": job.key, "kind": job.body["type"]}
        if qun is not None:
            data["number"] = qun.number
        self._webhook_events.publish(session, "message.sent", str(qun.number) if qun else job.key, data)

    def _message_failed(self, session: Session, job: Job, failure: GiveUp) -> None:
        queue, _, account = job.queue.partition(":")
        if queue == QUEUE:
            qun = self._groups.by_room(account, job.key)
            data = {"message": job.id, "assistant": account, "to": job.key, "error": failure.why}
            if qun is not None:
                data["number"] = qun.number
            self._webhook_events.publish(session, "message.failed", str(qun.number) if qun else job.key, data)
