/** WeChat's rules of groups. Every function takes the World as its first argument; what WeChat refuses throws its error message. */
import { newId } from './world.mjs'

const others = (world, ids) => [...new Set(ids)].filter((id) => id !== world.self)

/** Creates or changes a group without any event, for the setup of a test. */
export function setRoom (world, { dirty = true, members, owner, ...fields }) {
  const id = fields.id ?? newId('') + '@chatroom'
  const old = world.tables.rooms.get(id)
  const row = { topic: '', announce: '', confirm: false, capacity: null, aliases: {}, adminIdList: [], ...old, ...fields, id }
  if (members) row.memberIdList = [...new Set(members)]
  row.memberIdList ??= [world.self]
  row.ownerId = owner ?? row.ownerId ?? world.self
  world.put('rooms', row)
  if (old && dirty) touch(world, id)
  return row
}

const touch = (world, id, how) => {
  world.dirty('room', id, how)
  world.dirty('member', id, how)
}

const limit = (world, room) => room.capacity ?? world.settings.capacity

/** The group, if the account is in it. */
export function mine (world, id) {
  const room = world.get('rooms', id)
  if (!room.memberIdList.includes(world.self)) throw new Error('你已不在该群聊中: ' + id)
  return room
}

/** The members as a reading shows them: nobody as long as lists are short (`again`: the same reading goes on). */
export function members (world, id, again = false) {
  const all = mine(world, id).memberIdList
  if (world.settings.short_lists <= 0) return all
  if (again) world.settings.short_lists--
  return []
}

/** The account makes a group: it takes two others at least, all of them friends. */
export function create (world, contactIds, topic) {
  const people = others(world, contactIds)
  if (people.length < 2) throw new Error('发起群聊失败: 至少需要三个人')
  for (const id of people) {
    if (!world.get('contacts', id).friend) throw new Error('发起群聊失败: 对方不是你的好友 ' + id)
  }
  const room = setRoom(world, { topic, owner: world.self, members: [world.self, ...people] })
  world.happen('room-join', { inviteeIdList: people, inviterId: world.self, roomId: room.id, timestamp: Date.now() })
  return room
}

/** A person joins, in any way. */
export function join (world, { room: id, contact, inviter, ...how }) {
  const room = world.get('rooms', id)
  world.get('contacts', contact)
  if (room.memberIdList.includes(contact)) return room
  if (room.memberIdList.length >= limit(world, room)) throw new Error('群聊人数已达上限')
  const changed = world.put('rooms', { ...room, memberIdList: [...room.memberIdList, contact] })
  touch(world, id, how)
  const payload = { inviteeIdList: [contact], inviterId: inviter ?? room.ownerId, roomId: id, timestamp: Date.now() }
  world.happen('room-join', payload, how)
  return changed
}

/** A person leaves, or is removed by `by`. */
export function leave (world, { room: id, contact, by, ...how }) {
  const room = world.get('rooms', id)
  if (!room.memberIdList.includes(contact)) throw new Error('不在群聊中: ' + contact)
  const changed = world.put('rooms', { ...room, memberIdList: room.memberIdList.filter((one) => one !== contact) })
  touch(world, id, how)
  world.happen('room-leave', { removeeIdList: [contact], removerId: by ?? contact, roomId: id, timestamp: Date.now() }, how)
  return changed
}

/** The account adds a friend: at once below the limit; from it on, by an invitation that the person must accept. */
export function add (world, id, contact, inviteOnly = false) {
  const room = mine(world, id)
  if (room.memberIdList.includes(contact)) return
  if (!world.get('contacts', contact).friend) throw new Error('邀请失败: 对方不是你的好友 ' + contact)
  const size = room.memberIdList.length
  if (size >= limit(world, room)) throw new Error('群聊人数已达上限')
  if (room.confirm && room.ownerId !== world.self) throw new Error('-2028 群主已启用群聊邀请确认，需要群主确认后才可邀请朋友进群')
  if (inviteOnly || size >= world.settings.direct_add_limit) {
    world.put('invitations', { id: newId('inv_'), roomId: id, contactId: contact, tapped: false, timestamp: Date.now() })
  } else {
    join(world, { room: id, contact, inviter: world.self })
  }
}

/** The person accepts the newest invitation to that group. */
export function tap (world, { room, contact, ...how }) {
  const open = world.list('invitations').filter((one) => one.roomId === room && one.contactId === contact && !one.tapped)
  if (!open.length) throw new Error(`no invitation of ${contact} to ${room}`)
  const invitation = open.at(-1)
  const changed = join(world, { room, contact, inviter: world.self, ...how })
  world.put('invitations', { ...invitation, tapped: true })
  return changed
}

/** The account removes a person: only the owner and the admins may. */
export function remove (world, id, contact) {
  const room = mine(world, id)
  if (room.ownerId !== world.self && !room.adminIdList.includes(world.self)) throw new Error('没有权限: 只有群主可以移出群成员')
  leave(world, { room: id, contact, by: world.self })
}

/** The account leaves. */
export function quit (world, id) {
  const room = mine(world, id)
  world.put('rooms', { ...room, memberIdList: room.memberIdList.filter((one) => one !== world.self) })
  touch(world, id)
}

/** A person renames the group. */
export function setTopic (world, { room: id, topic, by, ...how }) {
  const room = world.get('rooms', id)
  const changed = world.put('rooms', { ...room, topic })
  touch(world, id, how)
  const payload = { changerId: by ?? world.self, newTopic: topic, oldTopic: room.topic, roomId: id, timestamp: Date.now() }
  if (room.topic !== topic) world.happen('room-topic', payload, how)
  return changed
}

/** The account sets the announcement: only the owner and the admins may. */
export function setAnnounce (world, id, text) {
  const room = mine(world, id)
  if (room.ownerId !== world.self && !room.adminIdList.includes(world.self)) throw new Error('没有权限: 只有群主可以发布群公告')
  world.put('rooms', { ...room, announce: text })
}

/** A person invites the account into a group. */
export function inviteBot (world, { room: id, inviter, ...how }) {
  const room = world.get('rooms', id)
  const row = world.put('room_invitations', {
    id: newId('ri_'), roomId: id, inviterId: inviter, receiverId: world.self, topic: room.topic, memberCount: room.memberIdList.length,
    memberIdList: room.memberIdList, timestamp: Date.now(), avatar: '', invitation: `邀请你加入群聊 ${room.topic}`,
  })
  world.happen('room-invite', { roomInvitationId: row.id }, how)
  return row
}

/** The account accepts such an invitation. */
export function acceptInvitation (world, id) {
  const row = world.get('room_invitations', id)
  join(world, { room: row.roomId, contact: world.self, inviter: row.inviterId })
}

const EMOJI = /\p{Extended_Pictographic}/gu
const SHOWN = {
  plain: (name) => name,
  escaped: (name) => name.replaceAll('&', '&amp;').replaceAll('<', '&lt;'),
  emoji_words: (name) => name.replace(EMOJI, '[Fire]'),
  no_emoji: (name) => name.replace(EMOJI, ''),
  trimmed: (name) => name.trim(),
  cut: (name) => name.slice(0, 32),
}

/** A group's name as WeChat gives it back; `how` is one of the names above. */
export const shown = (name, how) => SHOWN[how](name)
