/**
 * Gives out the id of a file only when the file is written.
 *
 * UniformResourceNameRegistry.save of file-box 1.5.5 waits for the end of the source only: a client that downloads the file at once gets nothing, or
 * only its beginning.
 */
import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { UniformResourceNameRegistry } from 'file-box'

/** Replaces `save` of all registries. */
export function writeFilesCompletely () {
  UniformResourceNameRegistry.prototype.save = async function (stream) {
    const uuid = randomUUID()
    await pipeline(stream, createWriteStream(this.uuidFileName(uuid)))
    this.addToExpiringTable(uuid)
    return uuid
  }
}
