/** Messages in both directions. Every function takes the World as its first argument. */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { FileBox, FileBoxType } from 'file-box'
import { newId } from './world.mjs'
import { mine } from './rooms.mjs'

export const KIND = {
  unknown: 0, file: 1, audio: 2, card: 3, chat_history: 4, emoticon: 5, image: 6, text: 7, location: 8, mini_program: 9, group_note: 10,
  transfer: 11, red_envelope: 12, recalled: 13, url: 14, video: 15, post: 16,
}

const isRoom = (id) => id.endsWith('@chatroom')

/** The file box of a message, created from the test's description: base64, buffer, url, path, stream or qrcode. */
export function fileBox ({ name, base64, buffer, url, path, stream, qrcode }) {
  if (base64 !== undefined) return FileBox.fromBase64(base64, name)
  if (buffer !== undefined) return FileBox.fromBuffer(Buffer.from(buffer, 'base64'), name)
  if (url !== undefined) return FileBox.fromUrl(url, { name })
  if (path !== undefined) return FileBox.fromFile(path, name)
  if (stream !== undefined) return FileBox.fromStream(fs.createReadStream(stream), name)
  return FileBox.fromQRCode(qrcode)
}

/** Stores a message; `kind` is a name of KIND or any number. */
function keep (world, { id, from, conversation, kind = 'text', text = '', mentions = [], at, file, image, url, mini, card, location }) {
  const where = isRoom(conversation) ? { roomId: conversation } : { listenerId: conversation }
  return world.put('messages', {
    id: id ?? newId('msg_'), type: typeof kind === 'number' ? kind : KIND[kind], talkerId: from, ...where, text, mentionIdList: mentions,
    timestamp: at ?? Date.now(), filename: file?.name ?? '', file, image, url, mini, card, location,
  })
}

/** A person sends a message, in private or in a group. */
export function say (world, { from, room, emit, times, delay, ...what }) {
  if (what.kind !== undefined && typeof what.kind !== 'number' && !(what.kind in KIND)) throw new Error('no such kind: ' + what.kind)
  world.get('contacts', from)
  if (room && !world.get('rooms', room).memberIdList.includes(from)) throw new Error(`${from} is not in ${room}`)
  const row = keep(world, { ...what, from, conversation: room ?? world.self })
  world.happen('message', { messageId: row.id }, { emit, times, delay })
  return row
}

/** A person recalls a message: WeChat reports it as a message whose text is the id of the old one. */
export function recall (world, { message, ...how }) {
  const old = world.get('messages', message)
  const row = keep(world, { from: old.talkerId, conversation: old.roomId ?? old.listenerId, kind: 'recalled', text: old.id })
  world.happen('message', { messageId: row.id }, how)
  return row
}

/** Sends many messages as fast as the stream accepts them, from the given people in turn (default: the group's, or all friends). */
export function burst (world, { count, from, room, text = '消息' }) {
  const speaks = room ? (one) => world.get('rooms', room).memberIdList.includes(one.id) : (one) => one.friend
  const people = from ?? world.list('contacts').filter((one) => one.id !== world.self && speaks(one)).map((one) => one.id)
  if (!people.length) throw new Error('nobody is there to speak')
  return world.journal.batch(() => {
    const ids = []
    for (let i = 0; i < count; i++) ids.push(say(world, { from: people[i % people.length], room, text: `${text} ${i}` }).id)
    return ids
  })
}

/** The account sends a message: recorded, given an id, and (as WeChat does) reported back to it. */
export function send (world, kind, conversation, { text = '', mentions = [], record = {}, ...parts }) {
  if (isRoom(conversation)) mine(world, conversation)
  else world.get('contacts', conversation)
  const delivered = isRoom(conversation) || conversation === world.self || world.get('contacts', conversation).friend
  const row = keep(world, { from: world.self, conversation, kind, text, mentions, ...parts })
  world.put('sent', { id: row.id, kind, conversation, text, mentions, delivered, at: row.timestamp, ...record })
  if (!delivered) world.verify(conversation)
  if (world.settings.echo) setImmediate(() => world.happen('message', { messageId: row.id }))
  return row.id
}

/** The account sends a file: the record has its name, size and SHA-256, or its url. */
export async function sendFile (world, conversation, box) {
  if (box.type === FileBoxType.Url) {
    const url = box.toJSON().url
    return send(world, 'file', conversation, { file: { name: box.name, url }, record: { name: box.name, url } })
  }
  const data = await box.toBuffer()
  const kind = (box.mediaType ?? '').startsWith('image/') ? 'image' : 'file'
  const record = { name: box.name, size: data.length, sha256: createHash('sha256').update(data).digest('hex') }
  return send(world, kind, conversation, { file: { name: box.name, base64: data.toString('base64') }, record })
}

/** The account forwards a message. */
export function forward (world, conversation, id) {
  const { type, text, file, url, mini, card, location } = world.get('messages', id)
  return send(world, type, conversation, { text, file, url, mini, card, location, record: { forwarded: id } })
}

/** The account recalls one of its own messages. */
export function takeBack (world, id) {
  const row = world.tables.sent.get(id)
  if (!row) return false
  world.put('sent', { ...row, recalled: true })
  return true
}
