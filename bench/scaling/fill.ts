/** Makes the database large, by ordinary writes. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Client } from './client.ts'

/** An entry of some 4 MiB: well below the limit of 8. */
const ROWS = 4_000
const ROW_BYTES = 1_000

/** @returns bytes of the smallest worker's data folder: what a new one copies */
export function sizeOf(workersDir: string): number {
  const folders = readdirSync(workersDir).map(name => join(workersDir, name, 'data'))
  const sizes = folders.filter(existsSync).map(folder => {
    // Files come and go in a running database, which du tells by its exit code.
    const { stdout } = spawnSync('du', ['-sb', folder], { encoding: 'utf8' })
    return Number(stdout.split('\t')[0])
  })
  return Math.min(...sizes)
}

export async function fillTo(
  client: Client,
  { workersDir, bytes, stopped }: { workersDir: string; bytes: number; stopped: AbortSignal }
): Promise<void> {
  await client.write(
    'create table filling (id bigint generated always as identity primary key, body text not null)'
  )
  while (sizeOf(workersDir) < bytes) {
    stopped.throwIfAborted()
    await client.write(
      `insert into filling (body)
       select string_agg(md5(random()::text), '') from generate_series(1, ${ROWS}) i,
         generate_series(1, ${Math.ceil(ROW_BYTES / 32)}) j group by i`
    )
  }
}
