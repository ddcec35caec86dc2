/**
 * Reads the tar of a backup, strictly: files and folders with names below the archive's
 * root, and nothing else. What is cut off, or is no tar, is refused.
 */
import { UserError } from '../../local/script.ts'

const BLOCK_BYTES = 512

export class BrokenArchiveError extends UserError {
  override readonly name = 'BrokenArchiveError'
}

export interface Member {
  /** Relative, without `.` and `..`. */
  readonly name: string
  readonly kind: 'file' | 'folder'
  readonly bytes: number
  /** To be read to its end before the next member is asked for; what is left is skipped. */
  readonly content: AsyncIterable<Buffer>
}

/** @throws BrokenArchiveError */
export async function* members(chunks: AsyncIterable<Buffer>): AsyncGenerator<Member> {
  const bytes = new Bytes(chunks)
  for (;;) {
    const header = await bytes.exactly(BLOCK_BYTES)
    if (header.every(byte => byte === 0)) break
    const head = headIn(header)
    let left = head.bytes
    async function* content() {
      while (left > 0) {
        const part = await bytes.upTo(left)
        left -= part.length
        yield part
      }
    }
    yield { ...head, content: content() }
    for await (const _skipped of content());
    await bytes.exactly((BLOCK_BYTES - (head.bytes % BLOCK_BYTES)) % BLOCK_BYTES)
  }
  await bytes.drain()
}

function headIn(header: Buffer): Pick<Member, 'name' | 'kind' | 'bytes'> {
  const text = (from: number, to: number) => {
    const end = header.indexOf(0, from)
    return header.toString('utf8', from, end === -1 || end > to ? to : end)
  }
  const octal = (from: number, to: number) => {
    const digits = text(from, to).trim()
    if (!/^[0-7]+$/.test(digits)) throw new BrokenArchiveError('the archive holds no tar')
    return Number.parseInt(digits, 8)
  }
  // The field of the sum itself counts as spaces.
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0)
  if (octal(148, 156) !== sum) throw new BrokenArchiveError('the archive holds no tar')
  const prefix = text(345, 500)
  const name = safeName(prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`)
  const type = text(156, 157)
  if (type === '5') return { name, kind: 'folder', bytes: 0 }
  if (type === '0' || type === '') return { name, kind: 'file', bytes: octal(124, 136) }
  throw new BrokenArchiveError(`the archive holds "${name}", which is neither file nor folder`)
}

function safeName(name: string): string {
  const parts = name.split('/').filter(part => part !== '' && part !== '.')
  if (name.startsWith('/') || parts.includes('..') || parts.length === 0) {
    throw new BrokenArchiveError(`the archive holds a path out of its folder: "${name}"`)
  }
  return parts.join('/')
}

/** Chunks of any size, taken in pieces of any other. */
class Bytes {
  readonly #chunks: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** At least one byte. */
  async upTo(count: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next()
      if (next.done === true) throw new BrokenArchiveError('the archive is cut off')
      this.#rest = next.value
    }
    const part = this.#rest.subarray(0, count)
    this.#rest = this.#rest.subarray(count)
    return part
  }

  async exactly(count: number): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let left = count; left > 0; ) {
      const part = await this.upTo(left)
      left -= part.length
      parts.push(part)
    }
    return Buffer.concat(parts)
  }

  /** The checksum of what is packed comes last. */
  async drain(): Promise<void> {
    while ((await this.#chunks.next()).done !== true);
  }
}
