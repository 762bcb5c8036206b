/** The state that the gateway must keep across a kill -9: one JSON line per change; the last one of an id wins. */
import fs from 'node:fs'

export class Journal {
  constructor (file) {
    this.file = file
    this.lines = undefined
    this.handle = undefined
  }

  /** Reads the journal, calling apply(table, id, value) per line, then opens it for appending. */
  open (apply) {
    if (!this.file) return
    const text = fs.existsSync(this.file) ? fs.readFileSync(this.file, 'utf8') : ''
    for (const line of text.split('\n')) {
      if (!line) continue
      try {
        apply(...JSON.parse(line))
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error // a line cut off by the kill is ignored
      }
    }
    this.handle = fs.openSync(this.file, 'a')
    if (text && !text.endsWith('\n')) fs.writeSync(this.handle, '\n')
  }

  close () {
    if (this.handle !== undefined) fs.closeSync(this.handle)
    this.handle = undefined
  }

  /** Writes one change; it is in the kernel when this returns. */
  put (table, id, value) {
    if (this.handle === undefined) return
    const line = JSON.stringify([table, id, value]) + '\n'
    if (this.lines) this.lines.push(line)
    else fs.writeSync(this.handle, line)
  }

  /** Runs `work` and writes all its changes at once. */
  batch (work) {
    if (this.lines || this.handle === undefined) return work()
    this.lines = []
    try {
      return work()
    } finally {
      fs.writeSync(this.handle, this.lines.join(''))
      this.lines = undefined
    }
  }
}
