/** Writes a run's report: JSON (whose plan can be carried out again), text and a plot. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { provenanceOf } from '../../report/provenance.ts'
import type { PlannedFault } from '../plan.ts'
import type { Ran } from '../run.ts'
import { timeline } from './plot.ts'
import { textReport } from './text.ts'

const RESULTS = join(import.meta.dirname, '../..', 'results')
const PACKAGES = ['amqplib', 'fastify', 'node-zookeeper-client', 'pg', 'undici']

export interface ReportOptions {
  readonly name: string
  readonly title: string
  readonly settings: Readonly<Record<string, string | number>>
  readonly plan: readonly PlannedFault[]
  readonly ran: Ran
}

/** @returns the text, and the paths of the files */
export function writeReport({ name, title, settings, plan, ran }: ReportOptions) {
  mkdirSync(RESULTS, { recursive: true })
  const path = join(RESULTS, `chaos-${name}`)
  const report = { ...provenanceOf(PACKAGES), title, settings, ...ran, plan }
  const text = textReport(`${title}, of ${settings['target']}`, ran)
  const files = {
    [`${path}.json`]: `${JSON.stringify(report, null, 1)}\n`,
    [`${path}.txt`]: text,
    [`${path}.svg`]: timeline(title, ran)
  }
  for (const [file, content] of Object.entries(files)) writeFileSync(file, content)
  return { text, paths: Object.keys(files) }
}
