/** One WeChat account and its contacts: tables, settings, contacts and friendships. */
import { randomBytes } from 'node:crypto'

export const DIRTY = { message: 1, contact: 2, room: 3, member: 4, friendship: 5 }
const FRIENDSHIP = { confirm: 1, receive: 2, verify: 3 }
const INDIVIDUAL = 1

/** A new id with a prefix, unique across runs. */
export const newId = (prefix) => prefix + randomBytes(8).toString('hex')

export class World {
  constructor (journal, self) {
    this.journal = journal
    this.waiting = new Set()
    this.notify = () => {} // (event, payload): set by the puppet, like the next one
    this.uncache = () => {} // (a dirty event's payload)
    this.settings = {
      self: self.id,
      direct_add_limit: 40, // from this many members on an add is only an invitation
      capacity: 500,
      echo: true, // the account's own messages are reported as events
      list_strangers: true, // ContactList includes people who are not friends
      auto_login: true,
      pictures: true, // MessageImage brings the picture; else a stand-in, as PuppetMock itself answers
      short_lists: 0, // so many readings of a group's members bring nobody, as right after a gateway's start
      names: 'plain', // how names of groups are given back: plain, escaped, emoji_words, no_emoji, trimmed, cut
      announcements: true, // announcements can be read back
      dirty_events: true, // a change is told as a dirty event, besides being dropped from the gateway's cache
    }
    this.tables = {}
    for (const name of ['contacts', 'rooms', 'messages', 'friendships', 'invitations', 'room_invitations', 'sent', 'tags']) {
      this.tables[name] = new Map()
    }
    journal.open((table, id, value) => this.#apply(table, id, value))
    if (!this.tables.contacts.has(this.self)) this.contact({ name: '微秘', weixin: 'weimi', ...self, friend: false })
  }

  get self () { return this.settings.self }

  #apply (table, id, value) {
    if (table === 'settings') Object.assign(this.settings, value)
    else if (value === null) this.tables[table].delete(id)
    else this.tables[table].set(id, value)
  }

  /** Sets settings by name; an unknown one throws. */
  set (values) {
    for (const name of Object.keys(values)) {
      if (!(name in this.settings)) throw new Error('no such setting: ' + name)
    }
    Object.assign(this.settings, values)
    this.journal.put('settings', '', values)
    return this.settings
  }

  /** Stores a row, replacing the one with the same id. */
  put (table, row) {
    this.tables[table].set(row.id, row)
    this.journal.put(table, row.id, row)
    this.wake()
    return row
  }

  /** Reports a change to all waiters. */
  wake () { for (const look of [...this.waiting]) look() }

  /** Resolves to what `find` returns, as soon as it is not undefined. */
  when (find) {
    return new Promise((resolve) => {
      const look = () => {
        const found = find()
        if (found === undefined) return
        this.waiting.delete(look)
        resolve(found)
      }
      this.waiting.add(look)
      look()
    })
  }

  drop (table, id) {
    this.tables[table].delete(id)
    this.journal.put(table, id, null)
  }

  get (table, id) {
    const row = this.tables[table].get(id)
    if (!row) throw new Error(`no payload found for id ${id} in ${table}`)
    return row
  }

  list (table) { return [...this.tables[table].values()] }

  /** Reports an event; `emit: false` drops it, `times` repeats it, `delay` (ms) delays it. */
  happen (event, payload, { emit = true, times = 1, delay = 0 } = {}) {
    if (!emit) return
    const report = () => { for (let i = 0; i < times; i++) this.notify(event, payload) }
    if (delay) setTimeout(report, delay)
    else report()
  }

  /** Drops a payload from the gateway's cache and, unless `emit` is false, notifies the client. */
  dirty (type, id, { emit = true } = {}) {
    const payload = { payloadType: DIRTY[type], payloadId: id }
    if (emit && this.settings.dirty_events) this.notify('dirty', payload)
    else this.uncache(payload)
  }

  /** Adds a contact or changes one; `dirty: false` keeps the cached payload. */
  contact ({ dirty = true, ...fields }) {
    const id = fields.id ?? newId('wxid_')
    const old = this.tables.contacts.get(id)
    const row = {
      name: id, type: INDIVIDUAL, gender: 0, avatar: '', friend: true, alias: '', weixin: '', phone: [], ...old, ...fields, id,
    }
    this.put('contacts', row)
    if (old && dirty) this.dirty('contact', id)
    return row
  }

  /** A person sends the account a friend request. */
  friendRequest ({ contact, hello = '', ...how }) {
    const person = this.tables.contacts.get(contact) ?? this.contact({ id: contact, friend: false })
    const row = this.put('friendships', {
      id: newId('fs_'), contactId: person.id, hello, type: FRIENDSHIP.receive, scene: 30, stranger: 'v1_' + person.id, ticket: 'v2_' + person.id,
      timestamp: Date.now(), accepted: false,
    })
    this.happen('friendship', { friendshipId: row.id }, how)
    return row
  }

  /** The account accepts a request. Accepting it twice has no effect. */
  friendshipAccept (id) {
    const row = this.get('friendships', id)
    if (row.type !== FRIENDSHIP.receive) throw new Error('friendship is not a request: ' + id)
    if (row.accepted) return
    this.put('friendships', { ...row, accepted: true })
    this.befriend({ contact: row.contactId, delay: 1 })
  }

  /** A person becomes a friend, whoever asked. */
  befriend ({ contact, ...how }) {
    this.contact({ id: contact, friend: true })
    return this.#friendshipEvent(contact, FRIENDSHIP.confirm, how)
  }

  /** A person deletes the account from their contacts. The account is not notified: it notices when it sends a message. */
  unfriend ({ contact, dirty = true }) { return this.contact({ id: contact, friend: false, dirty }) }

  /** WeChat's reply to a message to a person who is not a friend: verification is required. */
  verify (contact) { return this.#friendshipEvent(contact, FRIENDSHIP.verify, {}) }

  #friendshipEvent (contact, type, how) {
    const row = this.put('friendships', { id: newId('fs_'), contactId: contact, hello: '', type, timestamp: Date.now() })
    this.happen('friendship', { friendshipId: row.id }, how)
    return row
  }
}
