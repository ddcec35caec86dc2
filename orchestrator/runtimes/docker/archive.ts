/**
 * Small JSON files in and out of containers, through the engine's archive calls:
 * they reach a volume also while its container does not run, and on an engine on
 * another machine. An archive here is a tar of one file.
 */
import type { Container } from 'dockerode'
import { parseNode } from '../../../wire/znodes.ts'
import { isStatus } from './errors.ts'

const BLOCK = 512
/** Field of a ustar header: where it begins and how long it is. */
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  magic: [257, 8]
} as const

/** Null while there is no such file, or half of it. */
export async function readJson<T>(container: Container, path: string): Promise<T | null> {
  try {
    const stream = await container.getArchive({ path })
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    const text = fileIn(Buffer.concat(chunks))
    return text === null ? null : parseNode<T>(text)
  } catch (error) {
    if (isStatus(error, 404)) return null
    throw error
  }
}

export async function writeJson(
  container: Container,
  folder: string,
  file: { readonly name: string; readonly value: unknown }
): Promise<void> {
  const archive = archiveOf(file.name, JSON.stringify(file.value))
  const answer = await container.putArchive(archive, { path: folder })
  answer.resume() // Whatever it says; it is answered when it is done.
}

export function archiveOf(name: string, text: string): Buffer {
  const content = Buffer.from(text)
  const header = Buffer.alloc(BLOCK)
  const put = (field: keyof typeof FIELD, value: string) => header.write(value, FIELD[field][0])
  const number = (field: keyof typeof FIELD, value: number) =>
    put(field, `${value.toString(8).padStart(FIELD[field][1] - 1, '0')}\0`)
  put('name', name)
  number('mode', 0o644)
  number('uid', 0)
  number('gid', 0)
  number('size', content.length)
  number('mtime', 0)
  put('type', '0')
  put('magic', 'ustar\x0000')
  put('checksum', ' '.repeat(FIELD.checksum[1])) // as which it is counted itself
  const sum = header.reduce((total, byte) => total + byte, 0)
  put('checksum', `${sum.toString(8).padStart(6, '0')}\0 `)
  const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)
  return Buffer.concat([header, content, padding, Buffer.alloc(2 * BLOCK)])
}

/** The text of the first file. Null when there is none. */
export function fileIn(archive: Buffer): string | null {
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const text = ([begin, length]: readonly [number, number]) =>
      archive.toString('latin1', at + begin, at + begin + length).split('\0', 1)[0] ?? ''
    const size = Number.parseInt(text(FIELD.size), 8) || 0
    const type = text(FIELD.type)
    const content = at + BLOCK
    // Attributes of the file that follows may come first, under a type of their own.
    if (text(FIELD.name) !== '' && (type === '0' || type === '')) {
      return archive.toString('utf8', content, content + size)
    }
    at = content + Math.ceil(size / BLOCK) * BLOCK
  }
  return null
}
