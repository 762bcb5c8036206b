/** Exits with 0 if the gateway on this machine answers an HTTP/2 ping within 3 seconds, as gRPC servers do. */
import { connect } from 'node:http2'

const scheme = process.env.WECHATY_PUPPET_SERVICE_NO_TLS_INSECURE_SERVER === 'true' ? 'http' : 'https'
const session = connect(`${scheme}://127.0.0.1:${process.env.PORT || 8788}`, { rejectUnauthorized: false })
const end = (code) => { session.destroy(); process.exit(code) }
setTimeout(() => end(1), 3000)
session.on('error', () => end(1))
session.on('connect', () => session.ping((error) => end(error ? 1 : 0)))
