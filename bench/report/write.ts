/** Writes a report as JSON, with its pictures beside it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { plotsOf } from './plots.ts'
import type { Report } from './report.ts'

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
