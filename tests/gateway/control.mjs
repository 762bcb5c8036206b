/** The control API of the tests: POST a JSON object {"do": name, ...arguments}; returns {"result": …} or, with status 400, {"error": …}. */
import http from 'node:http'
import { camel } from './faults.mjs'
import * as messages from './messages.mjs'
import * as rooms from './rooms.mjs'

const EVENT = {
  heartbeat: 1, message: 2, dong: 3, post: 4, error: 16, friendship: 17, 'room-invite': 18, 'room-join': 19, 'room-leave': 20, 'room-topic': 21,
  scan: 22, ready: 23, reset: 24, login: 25, logout: 26, dirty: 27,
}

/** The commands of a world, its puppet, the faults and the event stream. */
export function commands ({ world, puppet, faults, stream }) {
  const again = ({ times = 1, delay = 0 }, work) => {
    const run = () => { for (let i = 0; i < times; i++) work() }
    if (delay) setTimeout(run, delay)
    else run()
  }
  return {
    status: () => ({ self: world.self, logged_in: puppet.isLoggedIn, connected: stream.connected }),
    set: (values) => world.set(values),
    get: ({ table, id }) => (id === undefined ? world.list(table) : world.tables[table].get(id) ?? null),
    contact: (fields) => world.contact(fields),
    friend_request: (args) => world.friendRequest(args),
    befriend: (args) => world.befriend(args),
    unfriend: (args) => world.unfriend(args),
    room: (fields) => rooms.setRoom(world, fields),
    join: (args) => rooms.join(world, args),
    leave: (args) => rooms.leave(world, args),
    tap: (args) => rooms.tap(world, args),
    topic: (args) => rooms.setTopic(world, args),
    invite_bot: (args) => rooms.inviteBot(world, args),
    say: (args) => ({ ...messages.say(world, args), connected: stream.connected }),
    recall: (args) => messages.recall(world, args),
    burst: (args) => messages.burst(world, args),
    setup: (args) => world.journal.batch(() => setup(world, args)),
    sent: ({ conversation, count = 0 }) => world.when(() => {
      const rows = world.list('sent').filter((one) => !conversation || one.conversation === conversation)
      return rows.length >= count ? rows : undefined
    }),
    wait: ({ table, match, count = 1 }) => world.when(() => {
      const rows = world.list(table).filter((one) => Object.entries(match).every(([key, value]) => one[key] === value))
      return rows.length >= count ? rows : undefined
    }),
    wait_connected: () => stream.whenConnected(),
    calls: ({ method, count = 0 }) => world.when(() => {
      const rows = faults.calls.filter((one) => !method || one.method === camel(method))
      return rows.length >= count ? rows : undefined
    }),
    fault: (rule) => faults.set(rule),
    clear_faults: ({ method }) => faults.clear(method),
    login: () => puppet.arrive(),
    logout: ({ reason = 'test' }) => puppet.logout(reason),
    emit: ({ event, payload, ...how }) => again(how, () => puppet.emit(event, payload)),
    raw: ({ type, payload, text, ...how }) => again(how, () => stream.write(EVENT[type] ?? type, text ?? JSON.stringify(payload))),
    end_stream: () => stream.end(),
  }
}

/** Creates many contacts (c0, c1, …: friends) and groups (r0@chatroom, …) with `members` of them each. */
function setup (world, { contacts = 0, groups = 0, members = 10 }) {
  for (let i = 0; i < contacts; i++) world.contact({ id: `c${i}`, name: `联系人${i}`, dirty: false })
  for (let i = 0; i < groups; i++) {
    const people = Array.from({ length: members }, (_, k) => `c${(i * members + k) % Math.max(contacts, 1)}`)
    rooms.setRoom(world, { id: `r${i}@chatroom`, topic: `群${i}`, members: [world.self, ...people], dirty: false })
  }
}

/** Serves the commands on a port of 127.0.0.1 (0 = any free port); resolves to the server. */
export function serve (table, port) {
  const server = http.createServer(async (request, response) => {
    let [status, answer] = [200, {}]
    try {
      const chunks = []
      for await (const chunk of request) chunks.push(chunk)
      const { do: name, ...args } = JSON.parse(Buffer.concat(chunks).toString())
      if (!Object.hasOwn(table, name)) throw new Error('no such command: ' + name)
      answer = { result: (await table[name](args)) ?? null }
    } catch (error) {
      [status, answer] = [400, { error: error.message }]
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  return new Promise((resolve, reject) => {
    server.on('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
