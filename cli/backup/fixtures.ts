/**
 * Small archives for tests.
 */
import { gunzipSync, gzipSync } from 'node:zlib'
import { headMember } from '../../orchestrator/backup/head-member.ts'
import { MANIFEST_NAME } from '../../wire/backup.ts'

export const HEAD = {
  ...{ format: 1, clusterId: 'c', term: 2, index: 3, workerId: 'w' },
  ...{ postgres: '15.1', at: '2026-11-22T00:00:00.000Z' }
}
const HEADER_BYTES = 512
const SUM_AT = 148
export const TYPE_AT = 156
export const NAME_AT = 0

/** A tar of one file. */
export const tar = () => Buffer.concat([gunzipSync(headMember(HEAD)), Buffer.alloc(1_024)])

/** `tar` with other text in its header, and the sum that belongs to it. */
export function altered(at: number, text: string): Buffer {
  const bytes = tar()
  bytes.write(text, at)
  bytes.write(' '.repeat(8), SUM_AT)
  const sum = bytes.subarray(0, HEADER_BYTES).reduce((total, byte) => total + byte, 0)
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, SUM_AT)
  return bytes
}

/** Whole, as far as can be told without PostgreSQL. */
export const archive = (head: object = HEAD) =>
  Buffer.concat([
    headMember({ ...HEAD, ...head }),
    gzipSync(altered(NAME_AT, `${MANIFEST_NAME}\0`))
  ])
