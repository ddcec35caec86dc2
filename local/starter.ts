/**
 * `starter.json` names the process that runs the system of a folder, from the beginning
 * of its start to the end of its stop. Whoever wants it to stop asks that process.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Identity, identityOf } from './processes/identity.ts'
import { recorded } from './processes/leftovers.ts'

const fileIn = (root: string) => join(root, 'starter.json')

/** This process; disposing takes the note away. The folder's lock must be held. */
export function noteStarter(root: string): Disposable {
  const file = fileIn(root)
  writeFileSync(file, JSON.stringify(identityOf(process.pid)))
  return { [Symbol.dispose]: () => rmSync(file, { force: true }) }
}

/** Undefined when none is alive. */
export const starterIn = (root: string): Identity | undefined => recorded(fileIn(root))[0]
