"""Customer service: new friends, answers, and tickets."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import Session

from app.parts.groups import GroupParts
from config import Config
from models.db import after_commit
from models.durable import WorkState
from services.changes import ChangeKind
from services.clock import Clock
from services.support.acceptance_policy import AcceptancePolicy
from services.support.agent_actions import AgentActions
from services.support.announcements import TicketAnnouncements
from services.support.canned_replies import CannedReplies
from services.support.embeddings import EmbeddingClient
from services.support.explanation import Explainer
from services.support.fallbacks import Fallbacks
from services.support.faq import load as load_faq
from services.support.faq_entries import FaqEntries
from services.support.file_relay import FileRelay
from services.support.friend_requests import FriendRequests
from services.support.greetings import Greetings
from services.support.handover import Handover
from services.support.idle_tickets import IdleTickets
from services.support.keywords import Keywords
from services.support.knowledge import load as load_knowledge
from services.support.knowledge_editor import KnowledgeEditor
from services.support.llm import LlmClient
from services.support.missed_questions import MissedQuestions
from services.support.person_requests import PersonRequests
from services.support.question_menus import QuestionMenus
from services.support.questions import Questions
from services.support.reminders import TicketReminders
from services.support.request_texts import RequestTexts
from services.support.similar_questions import SimilarQuestions
from services.support.staff_client import StaffClient
from services.support.staffing import Staffing
from services.support.ticket_actions import TicketActions
from services.support.ticket_history import TicketHistory
from services.support.ticket_messages import TicketMessages
from services.support.ticket_relay import TicketRelay
from services.support.ticket_viewers import TicketViewers
from services.support.tickets import Tickets
from services.support.transcription import TranscriptionClient
from services.support.waiting_tickets import WaitingTickets
from services.work.job import Job


class SupportParts(GroupParts):
    """Adds the parts of customer service."""

    def __init__(self, config: Config, sandboxed: Collection[str], clock: Clock) -> None:
        super().__init__(config, sandboxed, clock)
        self._create_friends()
        self._create_answers()
        self._create_tickets()
        self._create_agents()

    def _create_friends(self) -> None:
        service = self.config.customer_service
        self.greetings = Greetings(self.store, self.accounts, self.messages, service, self.clock)
        self.request_texts = RequestTexts(self.store, self.clock)
        self.acceptance_policy = AcceptancePolicy(self.store, service.accept, self.local_time)
        self.friend_requests = FriendRequests(
            self.outbox,
            self.accounts,
            self.audit,
            self.acceptance_policy,
            self.request_texts,
            self.greetings,
            on_accepted=self.token_joins.became_friend_soon,
        )

    def _create_answers(self) -> None:
        service, store, texts, clock = self.config.customer_service, self.store, self.config.texts, self.clock
        self.keywords = Keywords(store, service.keywords)
        self.faq_entries = FaqEntries(store, load_faq(service.faq), clock, passages=load_knowledge(service.knowledge))
        self.knowledge_editor = KnowledgeEditor(self.keywords, self.faq_entries, self.audit)
        llm = LlmClient(service.llm, clock)
        embeddings = EmbeddingClient(store, self.http_client, service.embeddings, clock)
        self.transcription = TranscriptionClient(self.http_client, service.transcription, clock)
        self.similar_questions = SimilarQuestions(self.faq_entries, embeddings)
        self.missed_questions = missed = MissedQuestions(store, self.local_time)
        self.question_menus = QuestionMenus(store, clock)
        self.fallbacks = Fallbacks(store, missed, service, texts, clock)
        self.questions = Questions(self.faq_entries, self.similar_questions, llm, self.question_menus, missed, texts)
        self.person_requests = PersonRequests(service.handoff)
        self.explainer = Explainer(self.person_requests, self.keywords, self.faq_entries, service)

    def _create_tickets(self) -> None:
        handoff, store, texts, clock = self.config.customer_service.handoff, self.store, self.config.texts, self.clock
        conversations = self.conversations
        self.tickets = tickets = Tickets(store, self.changes, clock)
        self.staffing = staffing = Staffing(self.accounts, self.staff_rooms, handoff, clock)
        history = TicketHistory(conversations, staffing, texts, clock)
        outgoing = TicketMessages(self.accounts, self.messages, self.webhook_events)
        self.announcements = announcements = TicketAnnouncements(
            tickets, staffing, conversations, history, outgoing, texts, clock
        )
        self.handover = Handover(tickets, staffing, conversations, announcements, outgoing, texts)
        self.ticket_relay = TicketRelay(tickets, staffing, history, announcements, outgoing, texts, clock)
        self.waiting_tickets = WaitingTickets(store, tickets, staffing, announcements, clock)
        self.ticket_actions = TicketActions(tickets, conversations, history, outgoing, self.messages, texts, clock)
        self.reminders = TicketReminders(store, tickets, staffing, self.messages, self.webhook_events, texts, clock)
        self.idle_tickets = IdleTickets(store, tickets, self.ticket_actions, staffing, texts, clock)
        self.outbox.results.on_failed(announcements.delivery_failed)
        self.outbox.results.on_failed(self.ticket_actions.delivery_failed)
        self.outbox.results.on_failed(lambda session, job, _failure: self._publish_result(session, job))
        self.outbox.results.on_sent(self._publish_result)

    def _create_agents(self) -> None:
        self.files = FileRelay(
            self.store,
            self.accounts,
            self.outbox,
            self.media,
            self.conversations,
            self.messages,
            self.ticket_actions,
        )
        self.staff_client = StaffClient(
            self.accounts, self.tickets, self.handover, self.ticket_actions, self.conversations, self.clock
        )
        self.ticket_viewers = TicketViewers(self.changes)
        handoff = self.config.customer_service.handoff
        self.canned_replies = CannedReplies(self.store, self.audit, handoff, self.clock)
        self.agent_actions = AgentActions(
            self.accounts, self.ticket_actions, self.messages, self.staff_rooms, self.audit, self.config.texts
        )

    def _publish_result(self, session: Session, job: Job) -> None:
        """Notify console pages of the result of a delivery."""
        number = job.body.get("ticket") if job.body.get("staff") else None
        if number:
            after_commit(session, lambda: self.changes.publish(ChangeKind.TICKET, id=number))
        elif job.state != WorkState.SENT:
            after_commit(session, lambda: self.changes.publish(ChangeKind.WORK))
