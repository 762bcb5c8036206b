/**
 * Pings the clients of HTTP/2 servers and closes the connections of those that do not answer.
 *
 * A Wechaty gateway has one event stream and no keepalive: a client that is frozen, or whose machine is down, would hold it until the gateway is
 * restarted. So would about one in a hundred clients that are killed under load: with TLS, Node.js (20, 22 and 24) sometimes does not notice that a
 * connection was reset while it wrote to it.
 */
import http2 from 'node:http2'

function watch (session, socket, interval) {
  let answered = true
  const timer = setInterval(() => {
    if (answered && !session.destroyed) {
      answered = false
      session.ping((error) => { answered = !error })
      return
    }
    clearInterval(timer)
    session.destroy() // ends its streams; "close" comes only if the connection's end was noticed
    socket.destroy()
  }, interval)
  timer.unref()
  session.once('close', () => clearInterval(timer))
}

/** Watches the connections of all servers that are created from now on; interval in milliseconds. */
export function closeDeadConnections (interval = 3_000) {
  for (const [name, accepted] of [['createServer', 'connection'], ['createSecureServer', 'secureConnection']]) {
    const create = http2[name]
    http2[name] = (...options) => {
      const server = create(...options)
      let socket // the server emits "session" within this event
      server.prependListener(accepted, (one) => { socket = one })
      return server.on('session', (session) => watch(session, socket, interval))
    }
  }
}
