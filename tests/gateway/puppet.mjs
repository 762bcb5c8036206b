/** The puppet behind the official gateway: PuppetMock, with WeChat's behaviour where the mock does nothing. */
import { FileBox } from 'file-box'
import { PuppetMock } from 'wechaty-puppet-mock'
import * as messages from './messages.mjs'
import * as rooms from './rooms.mjs'

const HEARTBEAT_MS = 15_000
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

export class WeChatPuppet extends PuppetMock {
  constructor (world) {
    super({ timeoutSeconds: 3600 })
    this.world = world
    world.notify = (event, payload) => this.emit(event, payload)
    world.uncache = (payload) => this.onDirty(payload)
    this.on('error', (payload) => console.error('puppet error', payload.gerror))
  }

  // ---- session ----
  async onStart () {
    this.heart = setInterval(() => this.emit('heartbeat', { data: 'alive' }), HEARTBEAT_MS)
    // the base class handles `ready` only after onStart
    if (this.world.settings.auto_login) setImmediate(() => this.arrive())
  }

  async onStop () { clearInterval(this.heart) }

  /** The account is logged in and ready. */
  arrive () {
    if (this.isLoggedIn) return
    this.login(this.world.self)
    this.emit('ready', { data: 'ready' })
  }

  mustBeIn () { if (!this.isLoggedIn) throw new Error('not logged in') }

  // ---- contacts ----
  async contactList () {
    const all = this.world.list('contacts')
    return all.filter((one) => one.friend || one.id === this.world.self || this.world.settings.list_strangers).map((one) => one.id)
  }

  async contactRawPayload (id) { return { ...this.world.get('contacts', id) } }

  async contactAlias (id, alias) {
    if (alias === undefined) return this.world.get('contacts', id).alias
    this.world.get('contacts', id)
    this.world.contact({ id, alias })
  }

  async contactPhone (id, phone) { this.world.contact({ ...this.world.get('contacts', id), phone }) }
  async contactDescription (id, description) { this.world.contact({ ...this.world.get('contacts', id), description }) }
  async contactAvatar (id) { return FileBox.fromBase64(PIXEL, `avatar-${this.world.get('contacts', id).id}.png`) }
  async contactSelfQRCode () { return 'https://u.wechat.com/' + this.world.self }
  async contactSelfName (name) { this.world.contact({ id: this.world.self, name }) }
  async contactSelfSignature (signature) { this.world.contact({ id: this.world.self, signature }) }

  // ---- friendships ----
  async friendshipRawPayload (id) { return { ...this.world.get('friendships', id) } }
  async friendshipAccept (id) { this.mustBeIn(); this.world.friendshipAccept(id) }
  async friendshipSearchPhone (phone) { return this.world.list('contacts').find((one) => one.phone.includes(phone))?.id ?? null }
  async friendshipSearchHandle (weixin) { return this.world.list('contacts').find((one) => one.weixin === weixin)?.id ?? null }

  async friendshipAdd (contact, { hello = '' } = {}) {
    this.mustBeIn()
    this.world.contact({ ...this.world.get('contacts', contact), asked: hello })
  }

  // ---- messages ----
  async messageRawPayload (id) { return { ...this.world.get('messages', id) } }
  async messageFile (id) { return messages.fileBox(this.part(id, 'file')) }
  async messageImage (id, type) {
    const { image } = this.world.get('messages', id)
    if (image) return messages.fileBox(image)
    return this.world.settings.pictures ? messages.fileBox(this.part(id, 'file')) : super.messageImage(id, type)
  }
  async messageContact (id) { return this.part(id, 'card') }
  async messageUrl (id) { return this.part(id, 'url') }
  async messageMiniProgram (id) { return this.part(id, 'mini') }
  async messageLocation (id) { return this.part(id, 'location') }
  async messageRecall (id) { this.mustBeIn(); return messages.takeBack(this.world, id) }
  async messageForward (conversation, id) { this.mustBeIn(); return messages.forward(this.world, conversation, id) }

  part (id, name) {
    const value = this.world.get('messages', id)[name]
    if (value === undefined) throw new Error(`message ${id} has no ${name}`)
    return value
  }

  send (kind, conversation, what) {
    this.mustBeIn()
    return messages.send(this.world, kind, conversation, what)
  }

  async messageSendText (conversation, text, mentions = []) { return this.send('text', conversation, { text, mentions }) }
  async messageSendContact (conversation, card) { return this.send('card', conversation, { card, record: { card } }) }
  async messageSendUrl (conversation, url) { return this.send('url', conversation, { url, record: { url } }) }
  async messageSendMiniProgram (conversation, mini) { return this.send('mini_program', conversation, { mini, record: { mini } }) }
  async messageSendLocation (conversation) { return this.send('location', conversation, {}) }

  async messageSendFile (conversation, box) {
    this.mustBeIn()
    return messages.sendFile(this.world, conversation, box)
  }

  // ---- rooms ----
  async roomList () { return this.world.list('rooms').filter((one) => one.memberIdList.includes(this.world.self)).map((one) => one.id) }
  async roomRawPayload (id) {
    const room = rooms.mine(this.world, id)
    return { ...room, topic: rooms.shown(room.topic, this.world.settings.names), memberIdList: rooms.members(this.world, id) }
  }

  async roomMemberList (id) { return rooms.members(this.world, id, true) }

  async roomMemberRawPayload (id, contact) {
    const room = rooms.mine(this.world, id)
    if (!room.memberIdList.includes(contact)) return undefined
    const { name, avatar } = this.world.get('contacts', contact)
    return { id: contact, name, avatar, roomAlias: room.aliases[contact] ?? '', inviterId: '' }
  }

  async roomCreate (contacts, topic) { this.mustBeIn(); return rooms.create(this.world, contacts, topic).id }
  async roomAdd (id, contact, inviteOnly) { this.mustBeIn(); rooms.add(this.world, id, contact, inviteOnly) }
  async roomDel (id, contact) { this.mustBeIn(); rooms.remove(this.world, id, contact) }
  async roomQuit (id) { this.mustBeIn(); rooms.quit(this.world, id) }
  async roomQRCode (id) { return 'https://weixin.qq.com/g/' + rooms.mine(this.world, id).id }
  async roomAvatar (id) { return FileBox.fromBase64(PIXEL, `room-${rooms.mine(this.world, id).id}.png`) }

  async roomTopic (id, topic) {
    const room = rooms.mine(this.world, id)
    if (topic === undefined) return room.topic
    this.mustBeIn()
    rooms.setTopic(this.world, { room: id, topic })
  }

  async roomAnnounce (id, text) {
    if (text === undefined) return this.world.settings.announcements ? rooms.mine(this.world, id).announce : ''
    this.mustBeIn()
    rooms.setAnnounce(this.world, id, text)
  }

  async roomInvitationRawPayload (id) { return { ...this.world.get('room_invitations', id) } }
  async roomInvitationAccept (id) { this.mustBeIn(); rooms.acceptInvitation(this.world, id) }

  // ---- tags ----
  async tagContactAdd (tag, contact) { this.tag(tag, (ids) => [...new Set([...ids, contact])]) }
  async tagContactRemove (tag, contact) { this.tag(tag, (ids) => ids.filter((id) => id !== contact)) }
  async tagContactDelete (tag) { this.world.drop('tags', tag) }
  async tagContactList (contact) { return this.world.list('tags').filter((one) => !contact || one.ids.includes(contact)).map((one) => one.id) }
  tag (id, change) { this.world.put('tags', { id, ids: change(this.world.tables.tags.get(id)?.ids ?? []) }) }
}
