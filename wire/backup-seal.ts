/**
 * The seal of a backup: a keyed digest of all that comes before it, so that a restore can
 * tell whether this installation made the file and nobody has changed it since. It is an
 * empty gzip member of its own with the digest in its extra field, which every other reader
 * of gzip passes over.
 */
import { createHmac, type Hmac, timingSafeEqual } from 'node:crypto'

const DIGEST_BYTES = 32
/** Magic, deflate, flag FEXTRA, no time, no level, unknown system (RFC 1952). */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255])
const EXTRA_ID = Buffer.from('CV')
/** One empty block, and the checksum and length of nothing. */
const TRAILER = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0])

const FRONT = Buffer.concat([
  HEADER,
  littleEndian(EXTRA_ID.length + 2 + DIGEST_BYTES),
  EXTRA_ID,
  littleEndian(DIGEST_BYTES)
])

export const SEAL_BYTES = FRONT.length + DIGEST_BYTES + TRAILER.length

/** @param secret of the installation; another use of it gives another key */
export const beginSeal = (secret: string): Hmac =>
  createHmac('sha256', createHmac('sha256', secret).update('backup').digest())

/** What to append. */
export const sealOf = (hmac: Hmac): Buffer => Buffer.concat([FRONT, hmac.digest(), TRAILER])

/** @param tail the last `SEAL_BYTES` of a file, all before which `hmac` has seen */
export function isSealedBy(hmac: Hmac, tail: Buffer): boolean {
  const expected = sealOf(hmac)
  return tail.length === expected.length && timingSafeEqual(tail, expected)
}

function littleEndian(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}
