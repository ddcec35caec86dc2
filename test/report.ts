/**
 * Reads what tap prints (TAP 14) for many files, and tells of each file in a line, of
 * a failed one all that is not a success. Pure: lines in, text and counts out.
 * A test is what a file holds at its top level; a file that fails without a failed
 * test (it could not be loaded, or ran out of time) counts as one.
 */
export interface Totals {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

const FILE_START = /^# Subtest: (.+)$/
const FILE_END = /^(not )?ok \d+ - (.+?)(?: # time=([\d.]+)ms)?(?: # .*)?$/
const TEST = /^ {4}(not )?ok \d+( .*)?$/
const SKIPPED = / # (SKIP|TODO)/i
/** What needs no reading where something failed: successes, plans, times, names that come again. */
const NOISE = /^\s*((ok \d+.*)|(\d+\.\.\d+.*)|(# time=.*)|(# Subtest: .*))?$/
/** Tap repeats the source around an assertion; file and line say it shorter. */
const SOURCE_START = /^(\s*)source: [>|]/

export class TapReport {
  #lines: string[] = []
  #inFile = false
  #file: Totals = NONE
  #totals: Totals = NONE

  get totals(): Totals {
    return this.#totals
  }

  /** @returns text to show: usually none, at a file's end its line */
  read(line: string): string | undefined {
    if (FILE_START.test(line)) {
      this.#lines = []
      this.#file = NONE
      this.#inFile = true
      return undefined
    }
    const end = this.#inFile ? FILE_END.exec(line) : null
    if (end) return this.#endFile({ ok: end[1] === undefined, name: end[2] ?? '', ms: end[3] })
    const test = TEST.exec(line)
    if (test) this.#file = counted(this.#file, { ok: test[1] === undefined, text: test[2] ?? '' })
    this.#lines.push(line)
    return undefined
  }

  #endFile({ ok, name, ms }: { ok: boolean; name: string; ms: string | undefined }): string {
    this.#inFile = false
    const file = !ok && this.#file.failed === 0 ? { ...this.#file, failed: 1 } : this.#file
    this.#totals = sum(this.#totals, file)
    const seconds = ms === undefined ? '' : `, ${(Number(ms) / 1_000).toFixed(1)} s`
    const tests = `${file.passed + file.failed} tests${seconds}`
    if (ok) return `  ok      ${name} (${tests})`
    const said = withoutNoise(this.#lines).map(line => `    ${line}`)
    return [`  FAILED  ${name} (${tests})`, ...said].join('\n')
  }
}

export const NONE: Totals = { passed: 0, failed: 0, skipped: 0 }

export const sum = (a: Totals, b: Totals): Totals => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped
})

/** The last line of `npm test` and `npm run check`. */
export const totalsLine = ({ passed, failed }: Totals) => `${passed} passed, ${failed} failed`

function counted(totals: Totals, test: { ok: boolean; text: string }): Totals {
  if (SKIPPED.test(test.text)) return { ...totals, skipped: totals.skipped + 1 }
  return test.ok
    ? { ...totals, passed: totals.passed + 1 }
    : { ...totals, failed: totals.failed + 1 }
}

function withoutNoise(lines: readonly string[]): string[] {
  const kept: string[] = []
  let sourceIndent: number | undefined
  for (const line of lines) {
    const indent = line.search(/\S/)
    if (sourceIndent !== undefined && (indent === -1 || indent > sourceIndent)) continue
    sourceIndent = SOURCE_START.exec(line)?.[1]?.length
    if (sourceIndent === undefined && !NOISE.test(line)) kept.push(line)
  }
  return kept
}
