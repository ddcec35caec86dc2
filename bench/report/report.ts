/**
 * A report: what was measured, where, and of which code. Written as JSON with its
 * pictures beside it; `lines` come from `cells`, which have every round.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { serverConfiguration } from '../../workers/postgres/configuration.ts'
import type { Cell, Plan } from '../rounds.ts'
import { plotsOf } from './plots.ts'
import { type Line, summarize } from './summary.ts'

export interface Report {
  readonly at: string
  /** Of the checkout; `changed` when it has changes that are not committed. */
  readonly commit: { readonly id: string; readonly changed: boolean }
  readonly machine: Readonly<Record<string, string | number>>
  readonly versions: Readonly<Record<string, string>>
  readonly settings: Readonly<Record<string, unknown>>
  readonly contestants: readonly { readonly name: string; readonly title: string }[]
  readonly workloads: readonly { readonly name: string; readonly title: string }[]
  /** The contestant that ratios refer to. */
  readonly reference: string
  readonly lines: readonly Line[]
  readonly cells: readonly Cell[]
}

const CHECKOUT = join(import.meta.dirname, '../..')
const PACKAGES = ['autocannon', 'fastify', 'pg', 'amqplib', 'undici']

export function reportOf(
  plan: Plan,
  measured: {
    readonly cells: readonly Cell[]
    readonly reference: string
    readonly settings: Readonly<Record<string, unknown>>
  }
): Report {
  const { contestants, workloads, connections, rounds, seconds } = plan
  const nowhere = { socketDir: '', host: '', port: 0 }
  return {
    at: new Date().toISOString(),
    commit: { id: git('rev-parse', 'HEAD'), changed: git('status', '--porcelain') !== '' },
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${platform()} ${release()}`
    },
    versions: { node: process.version, ...Object.fromEntries(PACKAGES.map(versionOf)) },
    settings: {
      ...measured.settings,
      ...{ connections, rounds, seconds },
      postgres: serverConfiguration(nowhere).split('\n').slice(1, -1)
    },
    contestants: contestants.map(({ name, title }) => ({ name, title })),
    workloads: workloads.map(({ name, title }) => ({ name, title })),
    reference: measured.reference,
    lines: summarize(measured.cells, measured.reference),
    cells: measured.cells
  }
}

/** @returns the paths of the files written */
export function writeReport(report: Report, place: { dir: string; name: string }): string[] {
  mkdirSync(place.dir, { recursive: true })
  const files = Object.entries(plotsOf(report)).map(([plot, svg]) => [`-${plot}.svg`, svg] as const)
  return [['.json', `${JSON.stringify(report, null, 2)}\n`] as const, ...files].map(
    ([ending, text]) => {
      const path = join(place.dir, `${place.name}${ending}`)
      writeFileSync(path, text)
      return path
    }
  )
}

const git = (...args: string[]) =>
  execFileSync('git', args, { cwd: CHECKOUT, encoding: 'utf8' }).trim()

function versionOf(name: string): [string, string] {
  const file = join(CHECKOUT, 'node_modules', name, 'package.json')
  return [name, (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version]
}
