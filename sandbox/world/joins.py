"""Joining a group: directly, by invitation, after the owner's confirmation, or by QR code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sandbox.world.model import Confirmation, Invitation, Kind, ObjectNotFound, QrCode, Refused, WorldRoom

if TYPE_CHECKING:
    from sandbox.world.world import World

QR_SECONDS: Final = 7 * 24 * 3600
NEEDS_OWNER: Final = -2028
OWNER_MUST_CONFIRM: Final = "群主已启用群聊邀请确认，需群主或管理员确认后才能邀请朋友进群"


class JoinRules:
    """Adding, inviting and confirming members."""

    def __init__(self, world: World) -> None:
        self._world = world

    def add(self, by: str, room_id: str, person_id: str, *, card: bool = False) -> Invitation | None:
        """Add a friend to a group. From the direct limit on, or with `card`, send an invitation and return it.

        Does nothing for a member. Raises Refused with code -2028 while the owner has to confirm.
        """
        world = self._world
        room = world.rooms.seen_by(by, room_id)
        if person_id in room.members:
            return None
        if not world.people.are_friends(by, person_id):
            raise Refused("对方不是你的好友，不能邀请进群")
        self._check_place(room)
        if room.confirm and not room.manages(by):
            self._ask_owner(room, by, person_id)
            raise Refused(OWNER_MUST_CONFIRM, NEEDS_OWNER)
        if card or len(room.members) >= world.rules.direct_limit:
            return self._invite(room, by, person_id)
        world.rooms.admit_members(room, [person_id], by)
        return None

    def tap(self, person_id: str, invitation_id: str) -> bool:
        """Accept an invitation. Return False if the owner still has to confirm. A repeat is ignored while the person is
        a member.
        """
        invitation = self.invited(person_id, invitation_id)
        room = self._world.rooms.get(invitation.room_id)
        if person_id in room.members:
            invitation.state = "used"
            return True
        if invitation.state == "used":
            raise Refused("邀请已失效")
        if invitation.inviter not in room.members:
            raise Refused("邀请已失效")
        self._check_place(room)
        if room.confirm and not invitation.approved and not room.manages(invitation.inviter):
            self._ask_owner(room, invitation.inviter, person_id)
            return False
        invitation.state = "used"
        self._world.rooms.admit_members(room, [person_id], invitation.inviter)
        return True

    def invited(self, person_id: str, invitation_id: str) -> Invitation:
        """Return an invitation to this person; raise ObjectNotFound."""
        invitation = self._world.state.invitations.get(invitation_id)
        if invitation is None or invitation.invitee != person_id:
            raise ObjectNotFound(f"没有这个邀请：{invitation_id}")
        return invitation

    def decide(self, by: str, confirmation_id: str, approve: bool) -> None:
        """Confirm or reject a join as owner or admin; raise Refused if that was done before."""
        world = self._world
        waiting = world.state.confirmations.get(confirmation_id)
        if waiting is None:
            raise ObjectNotFound(f"没有这个确认：{confirmation_id}")
        room = world.rooms.seen_by(by, waiting.room_id)
        if not room.manages(by):
            raise Refused("只有群主或管理员可以确认")
        if waiting.state != "open":
            raise Refused("已经处理过了")
        if approve and waiting.invitee not in room.members:
            self._check_place(room)
            if len(room.members) >= world.rules.direct_limit and not self._has_open_invitation(waiting):
                self._invite(room, waiting.inviter, waiting.invitee, approved=True)
            else:
                world.rooms.admit_members(room, [waiting.invitee], waiting.inviter)
        waiting.state = "approved" if approve else "refused"
        world.changed()

    def qr_code(self, by: str, room_id: str) -> str:
        """Create a QR code of a group, valid for seven days."""
        world = self._world
        room = world.rooms.seen_by(by, room_id)
        code = "https://weixin.qq.com/g/" + world.new_id("", world.state.qr_codes)
        world.state.qr_codes[code] = QrCode(code, room.id, by, world.clock() + QR_SECONDS)
        world.changed()
        return code

    def scan(self, person_id: str, code: str) -> WorldRoom:
        """Join by QR code.

        Raises Refused if the code has expired, the group has 200 members, or its owner has to confirm.
        """
        world = self._world
        qr = world.state.qr_codes.get(code)
        if qr is None:
            raise ObjectNotFound("没有这个二维码")
        if world.clock() >= qr.expires:
            raise Refused("该群二维码已过期")
        room = world.rooms.get(qr.room_id)
        if person_id in room.members:
            return room
        if room.confirm:
            raise Refused("群主已启用群聊邀请确认，不能扫码进群")
        if len(room.members) >= world.rules.qr_limit:
            raise Refused(f"群聊人数超过 {world.rules.qr_limit} 人，只可通过邀请进群")
        world.rooms.admit_members(room, [world.people.get(person_id).id], qr.sharer)
        return room

    def _check_place(self, room: WorldRoom) -> None:
        if len(room.members) >= self._world.rules.capacity:
            raise Refused("群聊人数已达上限")

    def _has_open_invitation(self, waiting: Confirmation) -> bool:
        """Whether the person has an open invitation to this group, and so has agreed to join."""
        return any(
            (card.room_id, card.invitee, card.state) == (waiting.room_id, waiting.invitee, "open")
            for card in self._world.state.invitations.values()
        )

    def _invite(self, room: WorldRoom, by: str, person_id: str, *, approved: bool = False) -> Invitation:
        """Send an invitation; if there is an open one, send that again."""
        world = self._world
        cards = world.state.invitations
        invitation = next(
            (
                c
                for c in cards.values()
                if (c.room_id, c.inviter, c.invitee, c.state) == (room.id, by, person_id, "open")
            ),
            None,
        )
        if invitation is None:
            invitation = Invitation(world.new_id("invite_", cards), room.id, by, person_id, world.clock())
            cards[invitation.id] = invitation
        invitation.approved = invitation.approved or approved
        world.chats.post(
            Kind.INVITATION, by, person_id, text=room.topic, data={"invitation": invitation.id}, audience=[person_id]
        )
        account = world.accounts.named(person_id)
        if account:
            world.accounts.emit(account, "room-invite", {"roomInvitationId": invitation.id})
        return invitation

    def _ask_owner(self, room: WorldRoom, by: str, person_id: str) -> None:
        """Ask the owner and admins to confirm, unless there is an open request."""
        world = self._world
        open_ones = world.state.confirmations
        if any((c.room_id, c.invitee, c.state) == (room.id, person_id, "open") for c in open_ones.values()):
            return
        waiting = Confirmation(world.new_id("confirm_", open_ones), room.id, by, person_id, world.clock())
        open_ones[waiting.id] = waiting
        text = f"“{world.name_in(room.id, by)}”想邀请“{world.people.get(person_id).name}”加入群聊"
        managers = [room.owner, *room.admins]
        world.chats.post(
            Kind.CONFIRMATION, by, room.id, text=text, data={"confirmation": waiting.id}, audience=managers
        )
