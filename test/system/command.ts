/**
 * Runs the real `convoy` as a process, and what it said.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Run } from '../../local/convoy.ts'
import { COMPILED } from '../../local/programs.ts'

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const ENDS_WITHIN_MS = 120_000

export interface Said {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Standard input; empty unless given. */
  readonly input?: string
  /** Sees the process as soon as it runs; its standard input stays open. */
  readonly started?: (child: ChildProcess) => void
}

/** What a terminal would obey. */
export const ESCAPE = '\x1b'

/** Commands about the system that is, or will be, in a folder. */
export class CommandSystem {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  /** As its start has noted it. */
  get run(): Run {
    return JSON.parse(readFileSync(join(this.folder, 'run.json'), 'utf8')) as Run
  }

  get addresses(): Run['addresses'] {
    return this.run.addresses
  }

  /** @param line without words that hold spaces */
  here(line: string, options?: CommandOptions): Promise<Said> {
    return convoy([...line.split(' '), '--folder', this.folder], options)
  }

  sql(words: readonly string[], options?: CommandOptions): Promise<Said> {
    return convoy(['sql', '--folder', this.folder, ...words], options)
  }
}

export const jsonOf = ({ out }: Said) => JSON.parse(out)
export const linesOf = ({ out }: Said) =>
  out
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))

/** Whoever runs the tests may have these; Node shows no colours where `CI` is set. */
const NOT_OURS = ['CONVOY_TOKEN', 'FORCE_COLOR', 'NO_COLOR', 'NODE_DISABLE_COLORS', 'CI']

const environment = (more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => {
  const env = { ...process.env, NODE_COMPILE_CACHE: COMPILED }
  for (const name of NOT_OURS) Reflect.deleteProperty(env, name)
  return { ...env, ...more }
}

export function convoy(words: readonly string[], options: CommandOptions = {}): Promise<Said> {
  return run([process.execPath, MAIN, ...words], options)
}

/** As on a terminal: `script` is between, and everything that is said comes in `out`. */
export function convoyOnTerminal(
  words: readonly string[],
  options: CommandOptions = {}
): Promise<Said> {
  // In place of the shell, which would end by Ctrl-C in a way of its own.
  const line = `exec ${[process.execPath, MAIN, ...words].map(word => `'${word}'`).join(' ')}`
  const env = { TERM: 'xterm', ...options.env }
  return run(['script', '--quiet', '--return', '--flush', '--command', line, '/dev/null'], {
    ...options,
    env
  })
}

async function run(line: readonly string[], options: CommandOptions): Promise<Said> {
  const [file = '', ...args] = line
  const child = spawn(file, args, {
    env: environment(options.env),
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: ENDS_WITHIN_MS
  })
  options.started?.(child)
  child.stdin.on('error', () => {}) // It may not read all of it.
  if (options.started === undefined) child.stdin.end(options.input ?? '')
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit')
  ])
  return { code: code as number | null, out, err }
}
