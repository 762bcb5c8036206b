// Makes calls of every kind with the types that openapi-typescript has generated: URL TOKEN PAGE MESSAGE.
import createClient from 'openapi-fetch'
import type { components, paths } from './api.js'

declare const process: { argv: string[] }
const [url, token, page, message] = process.argv.slice(2) as [string, string, string, string]
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: 'Bearer key-0123456789abc' } })

function check (condition: boolean, what: unknown): void {
  if (!condition) throw new Error(JSON.stringify(what))
}

const person: components['schemas']['PersonMessage'] = { assistant: 'weimi1001', to: '黑旋风', text: '好', mentions: [] }
const event = (one: components['schemas']['MemberJoinedEvent']): string => one.data.code

const made = await client.POST('/wxbot/qun', { body: { code: 'new', owner: '宋公明', assistant: 'weimi1001' } })
check(made.response.status === 201 && (made.data?.qun_create_response.url ?? '') !== '', made)
const later = await client.POST('/wxbot/qun', {
  params: { header: { Prefer: 'respond-async' } },
  body: { code: 'later', owner: '宋公明', assistant: 'weimi1001' },
})
check(later.response.status === 202, later)
const unknown = await client.POST('/wxbot/qun', { body: { code: 'x', owner: '无此人', assistant: 'weimi1001' } })
check(unknown.error?.error.code === 2003, unknown)
const listed = await client.GET('/wxbot/qun', { params: { query: { limit: 1, state: 'active' } } })
check(listed.data !== undefined && 'quns' in listed.data && listed.data.quns.length === 1, listed)
const path = { number: 100001 }
const members = await client.GET('/wxbot/qun/{number}/members', { params: { path } })
check((members.data?.members.length ?? 0) > 0, members)
const one = await client.GET('/wxbot/qun/{number}', { params: { path } })
check(one.data?.qun.code === 'a', one)
const changed = await client.PATCH('/wxbot/qun/{number}', { params: { path }, body: { topic: '一号店', tags: ['vip'] } })
check(changed.data?.qun.topic === '一号店', changed)
const joined = await client.POST('/wxbot/qun/membership', { body: { token, member: '黑旋风' } })
check(joined.data?.membership_join_response.approved === 'ok', joined)
const membership = await client.GET('/wxbot/qun/membership/{id}', { params: { path: { id: 3 } } })
check(membership.response.status === 200, membership)
const taken = await client.DELETE('/wxbot/qun/membership/{id}', { params: { path: { id: 3 } } })
check(taken.response.status === 204, taken)
const sent = await client.POST('/wxbot/message', { body: person })
check(sent.data?.message.state === 'queued', sent)
const read = await client.GET('/wxbot/message/{id}', { params: { path: { id: Number(message) } } })
check(read.response.status === 200, read)
const broadcast = await client.POST('/wxbot/broadcast', { body: { tags: ['vip'], text: '大家好' } })
check(broadcast.response.status === 202, broadcast)
const result = await client.GET('/wxbot/broadcast/{id}', { params: { path: { id: broadcast.data?.broadcast.id ?? 0 } } })
check(result.data?.broadcast.groups[0]?.number === 100001, result)
const stopped = await client.POST('/wxbot/broadcast/{id}/cancel', { params: { path: { id: 7 } } })
check(stopped.error?.error.code === 1004, stopped)
const callback = await client.POST('/wxbot/callback/{secret}', { params: { path: { secret: 'none' } }, body: { status: 'success' } })
check(callback.error?.error.code === 1004, callback)
const tickets = await client.GET('/wxbot/ticket', {})
check(tickets.data?.next === null, tickets)
const ticket = await client.GET('/wxbot/ticket/{id}', { params: { path: { id: 1 } } })
check(ticket.data?.ticket.messages.length === 0, ticket)
const audit = await client.GET('/wxbot/audit', { params: { query: { kind: 'group' } } })
check((audit.data?.audit.length ?? 0) > 0, audit)
const webhooks = await client.GET('/wxbot/webhook', {})
check(webhooks.data?.webhooks.length === 0, webhooks)
const resent = await client.POST('/wxbot/webhook/{id}/resend', { params: { path: { id: 7 } } })
check(resent.error?.error.code === 1004, resent)
const added = await client.POST('/wxbot/assistant', { body: { account: 'weimi2', endpoint: '10.0.0.5:8788', token: '', tls: true, tls_server_name: '' } })
check(added.response.status === 201, added)
const assistants = await client.GET('/wxbot/assistant', {})
check(assistants.data?.assistants.length === 2, assistants)
const removed = await client.DELETE('/wxbot/assistant/{account}', { params: { path: { account: 'weimi2' } } })
check(removed.response.status === 204, removed)
const reloaded = await client.POST('/wxbot/config/reload', {})
check(reloaded.data?.changed.length === 0, reloaded)
const closed = await client.DELETE('/wxbot/qun/{number}', { params: { path } })
check(closed.response.status === 204, closed)
check(typeof event === 'function', event)
const alive = await client.GET('/healthz', {})
check(alive.data !== undefined, alive)
const ready = await client.GET('/readyz', {})
check(ready.data !== undefined, ready)
const document = await client.GET('/openapi.json', {})
check(document.data !== undefined, document)
const metrics = await client.GET('/metrics', { parseAs: 'text' })
check(metrics.data?.includes('wxbot_') === true, metrics)
const docs = await client.GET('/docs', { parseAs: 'text' })
check((docs.data ?? '') !== '', docs)
const landing = await client.GET('/weiqun/{id}', { params: { path: { id: page } }, parseAs: 'text' })
check(landing.response.status === 410, landing)
