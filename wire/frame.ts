/**
 * A message body of one JSON header and any number of raw parts, so that what is
 * JSON text already (results, row images) crosses the wire without being escaped
 * and parsed again. Layout: u32 header bytes, u32 number of parts, u32 bytes of
 * each part, header, parts; big-endian.
 */

export function encodeFrame(header: unknown, parts: readonly string[] = []): Buffer {
  const head = JSON.stringify(header)
  const headBytes = Buffer.byteLength(head)
  const sizes = parts.map(part => Buffer.byteLength(part))
  const total = sizes.reduce((sum, size) => sum + size, 8 + 4 * parts.length + headBytes)
  const frame = Buffer.allocUnsafe(total)
  let at = frame.writeUInt32BE(headBytes, 0)
  at = frame.writeUInt32BE(parts.length, at)
  for (const size of sizes) at = frame.writeUInt32BE(size, at)
  at += frame.write(head, at)
  for (const part of parts) at += frame.write(part, at)
  return frame
}

/** The parts are views of `frame`, not copies. @throws RangeError when `frame` is cut short */
export function decodeFrame(frame: Buffer): { header: unknown; parts: Buffer[] } {
  const headBytes = frame.readUInt32BE(0)
  const count = frame.readUInt32BE(4)
  let at = 8 + 4 * count
  const header: unknown = JSON.parse(frame.toString('utf8', at, at + headBytes))
  at += headBytes
  const parts: Buffer[] = []
  for (let i = 0; i < count; i++) {
    const size = frame.readUInt32BE(8 + 4 * i)
    if (at + size > frame.length) throw new RangeError('frame is cut short')
    parts.push(frame.subarray(at, at + size))
    at += size
  }
  return { header, parts }
}
