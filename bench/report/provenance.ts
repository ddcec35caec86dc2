/** Where figures come from: when, on which machine, of which code. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'

export interface Provenance {
  readonly at: string
  /** Of the checkout; `changed` when it has changes that are not committed. */
  readonly commit: { readonly id: string; readonly changed: boolean }
  readonly machine: Readonly<Record<string, string | number>>
  readonly versions: Readonly<Record<string, string>>
}

const CHECKOUT = join(import.meta.dirname, '../..')

/** @param packages whose versions matter to the figures */
export const provenanceOf = (packages: readonly string[]): Provenance => ({
  at: new Date().toISOString(),
  commit: { id: git('rev-parse', 'HEAD'), changed: git('status', '--porcelain') !== '' },
  machine: {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`
  },
  versions: { node: process.version, ...Object.fromEntries(packages.map(versionOf)) }
})

const git = (...args: string[]) =>
  execFileSync('git', args, { cwd: CHECKOUT, encoding: 'utf8' }).trim()

function versionOf(name: string): [string, string] {
  const file = join(CHECKOUT, 'node_modules', name, 'package.json')
  return [name, (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version]
}
