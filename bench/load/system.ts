/** Where the system that was started in this folder answers. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** @throws Error when none runs here */
export async function lbOfRunningSystem(): Promise<string> {
  const path = join(import.meta.dirname, '../../.convoy/run.json')
  const text = await readFile(path, 'utf8').catch(cause => {
    throw new Error('no system runs in this folder: `npm start` it, or give its --url', { cause })
  })
  const run = JSON.parse(text) as { addresses: { lb: string } }
  return run.addresses.lb
}
