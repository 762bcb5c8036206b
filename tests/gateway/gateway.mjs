/**
 * The official PuppetServer of wechaty-puppet-service over a WeChat controlled by the tests.
 *
 * Environment: GATEWAY_TOKEN, GATEWAY_PORT and GATEWAY_CONTROL_PORT (0 = a free one), GATEWAY_TLS (0 = plaintext), GATEWAY_STATE (the journal's
 * file), GATEWAY_SELF (JSON of the account's own contact). Own certificate: WECHATY_PUPPET_SERVICE_TLS_SERVER_CERT and _KEY, as of any gateway.
 * Prints one JSON line {"port", "control"} when ready. Exits when its standard input is closed, so that it ends with its test.
 */
import { grpc, puppet as pb } from 'wechaty-grpc'
import { PuppetServer } from 'wechaty-puppet-service'
import { commands, serve } from './control.mjs'
import { Faults } from './faults.mjs'
import { Journal } from './journal.mjs'
import { WeChatPuppet } from './puppet.mjs'
import { World } from './world.mjs'

console.log = console.info = console.error // standard output is for the ready line only

// Not exported by the package, but the only place that holds the event stream; a file URL imports the same module.
const { EventStreamManager } = await import(
  new URL('./node_modules/wechaty-puppet-service/dist/esm/src/server/event-stream-manager.js', import.meta.url))

/** The event stream of the connected client, for events that no puppet would emit. */
class Stream {
  waiting = []

  constructor () {
    const outer = this
    const start = EventStreamManager.prototype.start
    EventStreamManager.prototype.start = function (...args) {
      outer.manager = this
      start.apply(this, args)
      for (const arrived of outer.waiting.splice(0)) arrived()
    }
  }

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

/** Records the port of the gRPC server, which PuppetServer does not expose. */
function watchPort () {
  const seen = {}
  const bind = grpc.Server.prototype.bindAsync
  grpc.Server.prototype.bindAsync = function (address, credentials, callback) {
    return bind.call(this, address, credentials, (error, port) => {
      seen.port = port
      callback(error, port)
    })
  }
  return seen
}

async function main (env) {
  const world = new World(new Journal(env.GATEWAY_STATE), { id: 'wxid_bot', ...JSON.parse(env.GATEWAY_SELF ?? '{}') })
  const puppet = new WeChatPuppet(world)
  const faults = new Faults(() => world.wake())
  const stream = new Stream()
  const seen = watchPort()
  const server = new PuppetServer({
    endpoint: `127.0.0.1:${env.GATEWAY_PORT ?? 0}`,
    puppet: faults.guard(puppet),
    token: env.GATEWAY_TOKEN,
    tls: { disable: env.GATEWAY_TLS === '0' },
  })
  await puppet.start() // as Wechaty's own gateway does: before any client connects
  await server.start()
  const control = await serve(commands({ world, puppet, faults, stream }), Number(env.GATEWAY_CONTROL_PORT ?? 0))
  process.stdout.write(JSON.stringify({ port: seen.port, control: control.address().port }) + '\n')
}

process.stdin.resume().on('end', () => process.exit(0))
await main(process.env)
