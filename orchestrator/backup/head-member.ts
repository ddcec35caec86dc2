/**
 * The first member of a backup's tar, with what it says of itself, as gzip. PostgreSQL's
 * own archive follows: members of gzip one after the other are one valid file.
 */
import { gzipSync } from 'node:zlib'
import { type BackupHead, HEAD_NAME } from '../../wire/backup.ts'

const BLOCK_BYTES = 512

export function headMember(head: BackupHead): Buffer {
  const body = Buffer.from(`${JSON.stringify(head, null, 2)}\n`)
  const padding = Buffer.alloc((BLOCK_BYTES - (body.length % BLOCK_BYTES)) % BLOCK_BYTES)
  return gzipSync(Buffer.concat([tarHeader(body.length), body, padding]))
}

/** POSIX ustar: fields of fixed places, numbers in octal. */
function tarHeader(bytes: number): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES)
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0')
  header.write(HEAD_NAME, 0)
  header.write(octal(0o600, 7), 100) // mode
  header.write(octal(0, 7), 108) // user
  header.write(octal(0, 7), 116) // group
  header.write(octal(bytes, 11), 124)
  header.write(octal(0, 11), 136) // time of change
  header.write(' '.repeat(8), 148) // its checksum, counted as spaces
  header.write('0', 156) // a file
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${octal(sum, 6)}\0 `, 148)
  return header
}
