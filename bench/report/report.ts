/**
 * A report: what was measured, where, and of which code. `lines` come from `cells`, which have
 * every round.
 */
import { serverConfiguration } from '../../workers/postgres/configuration.ts'
import type { CurvePoint } from '../curve.ts'
import type { Cell, Plan } from '../rounds.ts'
import { type Provenance, provenanceOf } from './provenance.ts'
import { type Line, summarize } from './summary.ts'

export interface Report extends Provenance {
  readonly settings: Readonly<Record<string, unknown>>
  readonly contestants: readonly { readonly name: string; readonly title: string }[]
  readonly workloads: readonly { readonly name: string; readonly title: string }[]
  /** The contestants that ratios refer to. */
  readonly references: readonly string[]
  readonly lines: readonly Line[]
  readonly cells: readonly Cell[]
  /** With `--full`. */
  readonly curve?: readonly CurvePoint[]
}

const PACKAGES = ['autocannon', 'fastify', 'pg', 'amqplib', 'undici']

export function reportOf(
  plan: Plan,
  measured: {
    readonly cells: readonly Cell[]
    readonly references: readonly string[]
    readonly settings: Readonly<Record<string, unknown>>
    readonly curve?: readonly CurvePoint[]
  }
): Report {
  const { contestants, workloads, connections, rounds, seconds } = plan
  const nowhere = { socketDir: '', host: '', port: 0 }
  return {
    ...provenanceOf(PACKAGES),
    settings: {
      ...measured.settings,
      ...{ connections, rounds, seconds },
      postgres: serverConfiguration(nowhere).split('\n').slice(1, -1)
    },
    contestants: contestants.map(({ name, title }) => ({ name, title })),
    workloads: workloads.map(({ name, title }) => ({ name, title })),
    references: measured.references,
    lines: summarize(measured.cells, measured.references),
    cells: measured.cells,
    ...(measured.curve && { curve: measured.curve })
  }
}
