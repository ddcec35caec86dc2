/**
 * Which PostgreSQL is installed here.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A database of one major version is not readable by another. */
export async function postgresMajor(binDir: string): Promise<number> {
  const { stdout } = await run(join(binDir, 'postgres'), ['--version'])
  return Number(/(\d+)/.exec(stdout)?.[1])
}
