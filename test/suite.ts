/**
 * Runs test files with tap and counts. Which files belong where follows from their
 * place: beside the code, `x.test.ts` is pure and `x.it.test.ts` needs real servers;
 * in `test/` are the tests of whole systems, but for those in folders that need none.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { NONE, TapReport, type Totals } from './report.ts'

export const CHECKOUT = fileURLToPath(new URL('..', import.meta.url))
const TAP = join(CHECKOUT, 'node_modules', '.bin', 'tap')

/** Folders below `test/` whose tests are pure. */
const PURE = ['test/fuzz/', 'test/simulator/', 'test/torture/combined/']

/** Of tests that need a Docker engine, which `npm run test:docker` brings. */
const DOCKER = 'test/docker/'

export type Kind = 'unit' | 'integration' | 'system' | 'docker'

export function testFiles(kind: Kind): string[] {
  const exclude = (name: string) => name.startsWith('node_modules') || name.startsWith('.')
  const all = globSync('**/*.test.ts', { cwd: CHECKOUT, exclude }).sort()
  return all.filter(file => kindOf(file) === kind)
}

function kindOf(file: string): Kind {
  if (file.endsWith('.it.test.ts')) return 'integration'
  if (file.startsWith(DOCKER)) return 'docker'
  const isPure = PURE.some(folder => file.startsWith(folder))
  return file.startsWith('test/') && !isPure ? 'system' : 'unit'
}

export interface TapOptions {
  /** Files at a time. */
  readonly jobs: number
  /** For one file. */
  readonly timeoutS: number
  readonly env: NodeJS.ProcessEnv
  /** Takes what is to be shown of each file when it ends. */
  readonly show: (text: string) => void
  /** Ends the tests early. */
  readonly stopped?: AbortSignal
}

export async function runTap(files: readonly string[], options: TapOptions): Promise<Totals> {
  if (files.length === 0) return NONE
  const report = new TapReport()
  const { jobs, timeoutS, env } = options
  const limits = [`--jobs=${jobs}`, `--timeout=${timeoutS}`]
  const tap = spawn(process.execPath, [TAP, '--reporter=tap', ...limits, ...files], {
    cwd: CHECKOUT,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    // A group of its own: tap leaves the file that it runs alive when it is ended itself.
    detached: true
  })
  const stop = () => tap.pid !== undefined && process.kill(-tap.pid, 'SIGTERM')
  options.stopped?.addEventListener('abort', stop, { once: true })
  const exited = once(tap, 'exit')
  for await (const line of createInterface({ input: tap.stdout })) {
    const text = report.read(line)
    if (text !== undefined) options.show(text)
  }
  const [code] = await exited
  options.stopped?.removeEventListener('abort', stop)
  const { totals } = report
  // Whatever tap itself stumbled over must not pass for success.
  return code !== 0 && totals.failed === 0 ? { ...totals, failed: 1 } : totals
}
