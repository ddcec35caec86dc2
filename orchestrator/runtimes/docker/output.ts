/**
 * What a container said last, for whoever looks into our log: the container itself may
 * be gone by then.
 */
import type { Container } from 'dockerode'

const LINES = 5
/** Each piece of output comes behind one: which stream, and, in its last 4 bytes, the length. */
const HEADER_BYTES = 8

export async function lastLines(container: Container): Promise<string[]> {
  try {
    return linesIn(await container.logs({ stdout: true, stderr: true, tail: LINES }))
  } catch {
    return []
  }
}

export function linesIn(output: Buffer): string[] {
  let text = ''
  for (let at = 0; at + HEADER_BYTES <= output.length; ) {
    const length = output.readUInt32BE(at + HEADER_BYTES - 4)
    text += output.toString('utf8', at + HEADER_BYTES, at + HEADER_BYTES + length)
    at += HEADER_BYTES + length
  }
  return text.split('\n').filter(line => line !== '')
}
