/** A proxy between the official gateway and the puppet that records every call and can make calls fail. */
import { setTimeout as sleep } from 'node:timers/promises'

const CALL = /^(contact|conversation|friendship|message|post|room|tag|tap)[A-Z]|^(start|stop|logout|ding|dirtyPayload|version)$/
const MODES = ['throw', 'hang', 'lose', 'late', 'fail', 'ignore']
const never = () => new Promise(() => {})
const plain = (value) => (value?.toStream ? { file: value.name } : value) // file boxes are too large for the log

/** The name of a puppet's method, from itself or from the name of the gRPC call (RoomAdd). */
export const camel = (name) => name[0].toLowerCase() + name.slice(1)

export class Faults {
  rules = []
  calls = []

  /** `onCall` is called for every call. */
  constructor (onCall) { this.onCall = onCall }

  /** The puppet behind the proxy. */
  guard (puppet) {
    return new Proxy(puppet, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        if (typeof name !== 'string' || !CALL.test(name)) return value.bind(target)
        return (...args) => this.#call(target, name, value, args)
      },
    })
  }

  /**
   * Makes the next `times` calls of `method` fail (all if null), after `skip` good ones.
   * throw: refused with `text`; hang: neither executed nor answered; lose: executed, not answered; fail: executed, answered with error `text`;
   * late: executed after `ms`; ignore: answered with success, not executed.
   */
  set ({ method, mode, text = 'fault', code, ms = 0, times = null, skip = 0 }) {
    if (!MODES.includes(mode)) throw new Error('no such mode: ' + mode)
    const name = camel(method)
    if (!CALL.test(name)) throw new Error('no such method: ' + method)
    this.rules.push({ method: name, mode, text, code, ms, times, skip })
  }

  clear (method) {
    const name = method && camel(method)
    this.rules = this.rules.filter((rule) => name && rule.method !== name)
  }

  #next (name) {
    for (const rule of this.rules) {
      if (rule.method !== name || rule.times === 0) continue
      if (rule.skip > 0) {
        rule.skip--
        continue
      }
      if (rule.times !== null) rule.times--
      return rule
    }
    return undefined
  }

  #call (target, name, method, args) {
    this.calls.push({ method: name, args: args.map(plain), at: Date.now() })
    this.onCall()
    const rule = this.#next(name)
    return rule ? this.#spoil(rule, () => method.apply(target, args)) : method.apply(target, args)
  }

  async #spoil ({ mode, text, code, ms }, work) {
    const refusal = Object.assign(new Error(text), code === undefined ? {} : { code, details: text })
    if (mode === 'throw') throw refusal
    if (mode === 'hang') return never()
    if (mode === 'ignore') return undefined
    if (mode === 'late') await sleep(ms)
    const result = await work()
    if (mode === 'lose') return never()
    if (mode === 'fail') throw refusal
    return result
  }
}
