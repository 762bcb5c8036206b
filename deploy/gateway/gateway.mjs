/**
 * A Wechaty puppet service gateway: the official PuppetServer over the puppet that WECHATY_PUPPET names.
 *
 * Environment:
 *   WECHATY_PUPPET   npm package or path of the puppet's module, e.g. wechaty-puppet-padlocal
 *   WECHATY_TOKEN    the token of the clients, e.g. insecure_2f6c…; without own certificates it must begin with "insecure_"
 *   PORT             default 8788; HOST: default 0.0.0.0
 *   KEEPALIVE        seconds between pings of clients, default 3; who does not answer one until the next is disconnected
 *   WECHATY_PUPPET_SERVICE_NO_TLS_INSECURE_SERVER   true = plaintext, for trusted networks only
 *   WECHATY_PUPPET_SERVICE_TLS_SERVER_CERT and _KEY: PEM texts of your own certificate, as of any Wechaty gateway
 *   variables of the puppet, e.g. WECHATY_PUPPET_PADLOCAL_TOKEN
 * Each NAME may also be given as NAME_FILE: a file that holds the value.
 */
import { readFileSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { closeDeadConnections } from './keepalive.mjs'
import { writeFilesCompletely } from './file_ids.mjs'

const STARTS_AGAIN_MS = 30_000 // delay before a puppet that failed to start is started again
const STOP_MS = 8_000
const GOOD_TOKEN = 16

/** Replaces NAME_FILE by NAME for the variables of Wechaty, as container secrets are files. */
function readSecretFiles (env) {
  for (const [name, path] of Object.entries(env)) {
    if (name.startsWith('WECHATY_') && name.endsWith('_FILE') && path) {
      env[name.slice(0, -'_FILE'.length)] ??= readFileSync(path, 'utf8').trim()
    }
  }
}

/** Removes tokens from everything that is printed: PuppetServer and some puppets log theirs. */
function hideSecrets (env) {
  const secrets = Object.entries(env)
    .filter(([name, value]) => /(TOKEN|SECRET|PASSWORD|KEY)$/.test(name) && value.length >= 6)
    .map(([, value]) => value)
    .sort((a, b) => b.length - a.length) // longest first: one may contain another
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream)
    stream.write = (chunk, ...rest) => {
      const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
      return write(secrets.reduce((shown, secret) => shown.replaceAll(secret, '***'), text), ...rest)
    }
  }
}

/** Returns the settings; throws an Error that names the wrong variable. */
function settings (env) {
  const port = Number(env.PORT || 8788)
  if (!env.WECHATY_PUPPET) throw new Error('WECHATY_PUPPET is not set: name a puppet, e.g. wechaty-puppet-mock')
  if (!env.WECHATY_TOKEN) throw new Error('WECHATY_TOKEN is not set: choose one, e.g. insecure_$(uuidgen)')
  if (env.WECHATY_TOKEN.length < GOOD_TOKEN) console.warn(`gateway: WECHATY_TOKEN is shorter than ${GOOD_TOKEN} characters and may be guessed`)
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new Error('PORT is not a port number')
  const keepalive = Number(env.KEEPALIVE || 3)
  if (!(keepalive >= 1 && keepalive <= 3600)) throw new Error('KEEPALIVE is not a number of seconds from 1 to 3600')
  return { host: env.HOST || '0.0.0.0', port, keepalive, puppet: env.WECHATY_PUPPET, token: env.WECHATY_TOKEN }
}

/** The puppet's class is its module's default export; CommonJS modules have it one level deeper. */
async function makePuppet (name) {
  const isPath = name.startsWith('.') || isAbsolute(name)
  const module = await import(isPath ? pathToFileURL(resolve(name)).href : name)
  const Puppet = module.default?.default ?? module.default
  if (typeof Puppet !== 'function') throw new Error(`${name} exports no puppet`)
  return new Puppet()
}

/** Sends the QR code at once to a client that connects while the account waits for a scan. */
function repeatScan (puppet) {
  let scan = null
  puppet.on('scan', (payload) => { scan = payload })
  for (const event of ['login', 'logout', 'stop']) puppet.on(event, () => { scan = null })
  puppet.on('newListener', (event, listener) => {
    if (event === 'scan' && scan) setImmediate(() => { if (scan) listener(scan) })
  })
}

/** Starts the puppet before any client connects, so that a restarted gateway logs in by itself; retries on failure. */
async function keepStarted (puppet) {
  try {
    await puppet.start()
    console.info('gateway: the puppet is started')
  } catch (error) {
    console.error(`gateway: the puppet does not start: ${error?.message ?? error}; again in ${STARTS_AGAIN_MS / 1000} s`)
    await puppet.stop().catch(() => {})
    setTimeout(() => keepStarted(puppet), STARTS_AGAIN_MS).unref()
  }
}

async function main () {
  readSecretFiles(process.env)
  hideSecrets(process.env)
  const { host, port, keepalive, puppet: name, token } = settings(process.env)
  closeDeadConnections(keepalive * 1000)
  writeFilesCompletely()
  process.env.WECHATY_LOG ??= 'warn' // must be set before the import: the packages read it when they are loaded
  const { PuppetServer } = await import('wechaty-puppet-service')
  const puppet = await makePuppet(name)
  puppet.on('error', (payload) => console.error('gateway: the puppet reports an error:', payload?.data ?? payload)) // an "error" event without a listener would end the process
  repeatScan(puppet)

  const server = new PuppetServer({ endpoint: `${host}:${port}`, puppet, token })
  await server.start()
  console.info(`gateway: ${name} listens on ${host}:${port}`)
  void keepStarted(puppet)

  const stop = async () => {
    setTimeout(() => process.exit(0), STOP_MS).unref()
    await server.stop().catch(() => {})
    await puppet.stop().catch(() => {})
    process.exit(0)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}

// An unhandled rejection in a puppet must not end the gateway; wxbot notices failures by its own calls.
process.on('unhandledRejection', (error) => console.error('gateway: not handled:', error?.message ?? error))
main().catch((error) => {
  console.error(`gateway: ${error?.message ?? error}`)
  process.exit(2)
})
