"""Transcribes voice messages if a server is configured, so that they are handled as texts."""

from __future__ import annotations

from dataclasses import replace

from handlers.context import EventContext
from wechat.events import Event, MessageKind, PrivateMessage

VOICE_PREFIX = "🎤"  # of a transcript that is shown to people


async def read(event: Event, context: EventContext) -> Event:
    """Return a voice message with its transcript as the text, and any other event unchanged."""
    container = context.container
    if not isinstance(event, PrivateMessage) or event.kind is not MessageKind.AUDIO:
        return event
    is_ignored = context.is_old or event.is_official or container.accounts.is_own(event.contact_id)
    if is_ignored or not container.transcription.is_on:
        return event
    context.voice = await container.media.fetch(context.wechat, event.id, event.kind, event.contact_id)
    transcript = await container.transcription.transcribe(context.voice.path) if context.voice else ""
    if not transcript:
        return event
    return replace(event, kind=MessageKind.TEXT, text=transcript.rstrip("。. "))
