/**
 * The log files of a system that runs on this machine: what stands at their ends, and
 * what is appended. A file that was emptied because it grew large is read from its
 * beginning; a process that is new has its file found within a second.
 */
import { existsSync, readdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LogFile, type LogLine, logFiles } from '../../orchestrator/dashboard/log-search.ts'
import { byTime, parseLine } from './lines.ts'

const TAIL_BYTES = 2 * 1024 * 1024
const LOOK_MS = 200
const FILES_LOOK_MS = 1_000

/** Servers that Convoy uses tell much, and are shown when they are named. */
const NAMED_ONLY = new Set(['rabbitmq', 'zookeeper', 'postgres'])

/** @param service the beginning of a name: `worker`, `orchestrator-2`; all of Convoy's own, if none */
export async function filesOf(root: string, service: string | undefined): Promise<LogFile[]> {
  const workersDir = join(root, 'workers')
  const files = await logFiles({ logsDir: join(root, 'logs'), workersDir })
  const databases = (existsSync(workersDir) ? readdirSync(workersDir) : []).map(name => ({
    source: `postgres ${name}`,
    path: join(workersDir, name, 'postgres.log')
  }))
  const starter = { source: 'starter', path: join(root, 'convoy.log') }
  return [...files, ...databases, starter].filter(({ source }) => {
    const [first = ''] = source.split(' ')
    return service === undefined ? !NAMED_ONLY.has(first) : source.startsWith(service)
  })
}

class Tail {
  readonly #file: LogFile
  #at: number | null = null
  #last: LogLine | undefined

  constructor(file: LogFile) {
    this.#file = file
  }

  /** @returns what was appended since the last time; the first time the end of the file */
  async read(): Promise<LogLine[]> {
    const file = await open(this.#file.path, 'r').catch(() => null)
    if (file === null) return []
    try {
      const { size } = await file.stat()
      const from =
        this.#at === null ? Math.max(0, size - TAIL_BYTES) : this.#at > size ? 0 : this.#at
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), { position: from })
      const end = buffer.subarray(0, bytesRead).lastIndexOf('\n') + 1
      this.#at = from + end
      return this.#parse(buffer.toString('utf8', 0, end))
    } finally {
      await file.close()
    }
  }

  #parse(text: string): LogLine[] {
    const lines: LogLine[] = []
    for (const one of text.split('\n')) {
      if (one.trim() === '') continue
      this.#last = parseLine(one, this.#file.source, this.#last)
      lines.push(this.#last)
    }
    return lines
  }
}

export class Tails {
  readonly #root: string
  readonly #service: string | undefined
  readonly #tails = new Map<string, Tail>()

  constructor(root: string, service: string | undefined) {
    this.#root = root
    this.#service = service
  }

  /** By time: what stands at the ends of all files, then what was appended. */
  async read(): Promise<LogLine[]> {
    for (const file of await filesOf(this.#root, this.#service)) {
      if (!this.#tails.has(file.path)) this.#tails.set(file.path, new Tail(file))
    }
    return this.#appended()
  }

  /** What is appended from now on, as it comes. Ends when `ended`. */
  async *follow(ended: AbortSignal): AsyncGenerator<LogLine> {
    for (let turn = 1; !ended.aborted; turn++) {
      await sleep(LOOK_MS, undefined, { signal: ended }).catch(() => {})
      const lookForFiles = turn % (FILES_LOOK_MS / LOOK_MS) === 0
      yield* lookForFiles ? await this.read() : await this.#appended()
    }
  }

  async #appended(): Promise<LogLine[]> {
    const lines = await Promise.all([...this.#tails.values()].map(tail => tail.read()))
    return byTime(lines.flat())
  }
}
