/**
 * What PostgreSQL says of a page on the disk: whether its checksum is the one that follows from
 * its bytes and its place (storage/checksum_impl.h). Pure.
 */

export const PAGE_BYTES = 8_192
const CHECKSUM_AT = 8
const UPPER_AT = 14
const SUMS = 32
const ROWS = PAGE_BYTES / (4 * SUMS)
const PRIME = 16_777_619
const BASE_OFFSETS = new Uint32Array([
  ...[0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2],
  ...[0x83e13d2c, 0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c],
  ...[0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979],
  ...[0xcca6c0b2, 0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e],
  ...[0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756]
])

/**
 * @param page `PAGE_BYTES` long
 * @param block its number in the relation, over all of its files
 */
export function isDamaged(page: Buffer, block: number): boolean {
  // A page that was never used has no checksum, and nothing else either.
  if (page.readUInt16LE(UPPER_AT) === 0) return page.some(byte => byte !== 0)
  return page.readUInt16LE(CHECKSUM_AT) !== checksumOf(page, block)
}

export function checksumOf(page: Buffer, block: number): number {
  const sums = Int32Array.from(BASE_OFFSETS)
  for (let row = 0; row < ROWS; row++) {
    for (let i = 0; i < SUMS; i++) {
      const at = 4 * (row * SUMS + i)
      // Of the checksum itself nothing counts.
      const value = at === CHECKSUM_AT ? page.readUInt32LE(at) & 0xffff0000 : page.readInt32LE(at)
      sums[i] = mixed(sums[i] ?? 0, value)
    }
  }
  let result = 0
  for (let i = 0; i < SUMS; i++) result ^= mixed(mixed(sums[i] ?? 0, 0), 0)
  return (((result ^ block) >>> 0) % 65_535) + 1
}

function mixed(sum: number, value: number): number {
  const both = sum ^ value
  return Math.imul(both, PRIME) ^ (both >>> 17)
}
