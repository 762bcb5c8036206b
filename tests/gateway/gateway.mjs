/**
 * The official PuppetServer of wechaty-puppet-service over a WeChat controlled by the tests.
 *
 * Every line on standard input starts a gateway, after the one before it is stopped: a JSON object with token, port and control (0 = a free
 * port), tls, state (the journal's file, or "") and self (the account's own contact). Prints one JSON line {"port", "control"} when it serves.
 * The line null only stops. Own certificate: WECHATY_PUPPET_SERVICE_TLS_SERVER_CERT and _KEY in the environment, as of any gateway.
 * Exits when its standard input is closed, so that it ends with its tests. Starting the process takes two seconds, starting a gateway none.
 */
import { createInterface } from 'node:readline'
import { grpc, puppet as pb } from 'wechaty-grpc'
import { PuppetServer } from 'wechaty-puppet-service'
import { commands, serve } from './control.mjs'
import { Faults } from './faults.mjs'
import { Journal } from './journal.mjs'
import { WeChatPuppet } from './puppet.mjs'
import { World } from './world.mjs'
import { closeDeadConnections } from '../../deploy/gateway/keepalive.mjs'

closeDeadConnections() // as in the gateway of deploy/: tests kill clients
console.log = console.info = console.error // standard output is for the ready line only

// Not exported by the package, but the only place that holds the event stream; a file URL imports the same module.
const { EventStreamManager } = await import(
  new URL('./node_modules/wechaty-puppet-service/dist/esm/src/server/event-stream-manager.js', import.meta.url))

/** The event stream of the connected client, for events that no puppet would emit. */
class Stream {
  waiting = []

  get connected () { return this.manager?.busy() ?? false }

  /** Resolves when a client holds the stream. */
  whenConnected () { return this.connected ? Promise.resolve() : new Promise((resolve) => this.waiting.push(resolve)) }

  /** Writes an event of any type with any text as its payload. */
  write (type, text) {
    if (!this.connected) throw new Error('no client is connected')
    const event = new pb.EventResponse()
    event.setType(type)
    event.setPayload(text)
    this.manager.eventStream.write(event)
  }

  /** Ends the stream gracefully. */
  end () { this.manager.stop() }
}

let stream // of the running gateway
let port // of its gRPC server, which PuppetServer does not expose

const start = EventStreamManager.prototype.start
EventStreamManager.prototype.start = function (...args) {
  stream.manager = this
  start.apply(this, args)
  for (const arrived of stream.waiting.splice(0)) arrived()
}

const bind = grpc.Server.prototype.bindAsync
grpc.Server.prototype.bindAsync = function (address, credentials, callback) {
  return bind.call(this, address, credentials, (error, bound) => {
    port = bound
    callback(error, bound)
  })
}

/** Starts a gateway; resolves to a function that stops it. */
async function launch (options) {
  const journal = new Journal(options.state)
  const world = new World(journal, { id: 'wxid_bot', ...options.self })
  const puppet = new WeChatPuppet(world)
  const faults = new Faults(() => world.wake())
  stream = new Stream()
  const server = new PuppetServer({
    endpoint: `127.0.0.1:${options.port}`,
    puppet: faults.guard(puppet),
    token: options.token,
    tls: { disable: !options.tls },
  })
  await puppet.start() // as Wechaty's own gateway does: before any client connects
  await server.start()
  const control = await serve(commands({ world, puppet, faults, stream }), options.control)
  process.stdout.write(JSON.stringify({ port, control: control.address().port }) + '\n')
  return async () => {
    control.close()
    control.closeAllConnections()
    await server.stop()
    await puppet.onStop()
    puppet.removeAllListeners()
    puppet.on('error', () => {}) // of what is still under way
    journal.close()
  }
}

let stop = async () => {}
for await (const line of createInterface({ input: process.stdin })) {
  const options = JSON.parse(line)
  await stop()
  stop = async () => {}
  if (options) stop = await launch(options)
  else process.stdout.write('{}\n')
}
process.exit(0)
