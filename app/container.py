"""The container with every part of the bot."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from functools import partial

from app.parts.support import SupportParts
from config import Config
from services.clock import Clock
from services.cluster.shared import Shared
from services.flows.calls import SystemCaller
from services.flows.expiry import FlowExpiry
from services.flows.flow_runs import FlowRuns
from services.flows.flows import Flows
from services.flows.open_runs import OpenRuns
from services.flows.running_calls import RunningCalls
from services.flows.start_rules import StartRules
from services.flows.steps import FlowSteps
from services.messaging.attachments import Attachments
from services.messaging.webhook_delivery import WebhookDelivery
from services.outreach.broadcast_reports import BroadcastReports
from services.outreach.broadcast_targets import BroadcastTargets
from services.outreach.broadcasts import Broadcasts
from services.outreach.deferred_groups import DeferredGroups
from services.outreach.outbound_requests import OutboundRequests
from services.outreach.report_builder import ReportBuilder
from services.outreach.reports import Reports
from services.outreach.sent_broadcasts import SentBroadcasts
from services.outreach.timed_messages import TimedMessages
from services.upkeep.clock_trust import ClockTrust
from services.upkeep.daily_totals import DailyTotals
from services.upkeep.job_log import JobLog
from services.upkeep.offline_alerts import OfflineAlerts
from services.upkeep.pruning import Pruning
from services.upkeep.reload import ConfigReloader
from services.upkeep.retention import Retention
from services.work.event_gate import EventGate


class Container(SupportParts):
    """The parts used by handlers, API, console and jobs, built in order of their dependencies. Nothing is started.

    `sandboxed`: accounts in the sandbox; `source`: reads the config again.
    """

    def __init__(
        self,
        config: Config,
        *,
        sandboxed: Collection[str] = (),
        clock: Clock = time.time,
        source: Callable[[], Config] | None = None,
    ) -> None:
        super().__init__(config, sandboxed, clock)
        self._create_flows()
        self._create_outreach()
        self._create_upkeep()
        announce = partial(self.cluster.tables.changed, kind=Shared.CONFIG) if self.cluster else None
        self.event_gate = EventGate()
        self.reloader = ConfigReloader(self.config, source, self.store, self.audit, self.event_gate, announce)

    def _create_flows(self) -> None:
        config, store, clock, texts = self.config, self.store, self.clock, self.config.texts
        open_runs, public_url = OpenRuns(), config.api.public_url
        steps = FlowSteps(self.messages, self.webhook_events, open_runs, texts, public_url, self.local_time)
        self.system_caller = SystemCaller(self.http_client, config.systems, texts)
        calls = RunningCalls(store, steps, open_runs, self.system_caller, texts, clock, self.ownership)
        self.flow_expiry = FlowExpiry(store, self.accounts, steps, open_runs, texts, clock)
        self.flow_runs = FlowRuns(store, steps, calls, open_runs, self.flow_expiry, self.audit, clock)
        rules = StartRules(self.accounts, self.group_owners, clock)
        self.flows = Flows(store, steps, open_runs, rules, config, self.person_requests.match, clock)

    def _create_outreach(self) -> None:
        config, store, clock, accounts = self.config, self.store, self.clock, self.accounts
        groups, messages, state_of = self.groups, self.messages, self.outbox.state_of
        self.outbound_requests = OutboundRequests(store, accounts, groups, messages, state_of)
        self.deferred_groups = DeferredGroups(store, accounts, self.group_lifecycle, self.outbox)
        self.attachments = Attachments(self.media, self.http_client, config.api)
        self.webhooks = WebhookDelivery(self.outbox, store, self.audit, self.http_client, config.webhooks, clock)
        self.timed_messages = TimedMessages(store, groups, messages, self.audit, self.zone, clock)
        self.broadcast_targets = BroadcastTargets(accounts, groups, all_in_memory=self.cluster is None)
        self.broadcasts = Broadcasts(store, self.broadcast_targets, messages, self.audit, clock)
        broadcast_reports = BroadcastReports(messages, config.texts)
        self.outbox.results.on_sent(broadcast_reports.sent)
        self.outbox.results.on_failed(broadcast_reports.failed)
        self.sent_broadcasts = SentBroadcasts(store, self.outbox, self.audit, clock)
        builder = ReportBuilder(groups, self.daily_stats, self.media, config, self.local_time)
        self.reports = Reports(store, accounts, groups, builder, messages)

    def _create_upkeep(self) -> None:
        config, store, clock = self.config, self.store, self.clock
        self.daily_totals = DailyTotals(store, self.accounts, self.zone, clock)
        self.offline_alerts = OfflineAlerts(store, self.accounts, self.messages, self.webhook_events, config, clock)
        self.clock_trust = ClockTrust(store, clock)
        records = (self.question_menus, self.fallbacks, self.missed_questions)
        self.retention = Retention(store, self.media, records, config.keep_days, clock, self.clock_trust)
        self.pruning = Pruning(store, config.keep_days, clock, self.clock_trust)
        self.job_log = JobLog(store, clock)
