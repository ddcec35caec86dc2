/**
 * CPU profiles of running Node processes, without a word in their code or settings:
 * SIGUSR1 opens a process's inspector, and through it the process is prepared to
 * profile itself for some seconds at SIGUSR2. The inspector is closed at once, for all
 * processes of a machine open it on the same port.
 */
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const INSPECTOR = 'http://127.0.0.1:9229/json/list'
const OPEN_WITHIN_MS = 5_000
const WRITTEN_WITHIN_MS = 20_000
const POLL_MS = 20
const SAMPLE_US = 500

export interface Profiled {
  readonly pid: number
  readonly seconds: number
  /** Written when the profile is complete. */
  readonly file: string
}

/** Prepares one process; others must not be prepared meanwhile. */
export async function prepareProfile(profiled: Profiled): Promise<void> {
  const { pid } = profiled
  process.kill(pid, 'SIGUSR1')
  const answer = await evaluate(await openInspector(pid), programOf(profiled))
  if (answer !== pid) throw new Error(`process ${answer} answered for ${pid}: is 9229 in use?`)
  await until(`inspector of ${pid} closed`, OPEN_WITHIN_MS, async () =>
    (await targetsNow()) === undefined ? true : undefined
  )
}

/** All at the same moment. Those of them that were not prepared would die of it. */
export function beginProfiles(prepared: readonly Profiled[]): void {
  for (const { pid } of prepared) process.kill(pid, 'SIGUSR2')
}

export async function whenWritten({ file }: Profiled): Promise<void> {
  await until(`${file} written`, WRITTEN_WITHIN_MS, async () => existsSync(file) || undefined)
}

/** Runs in the process, where nothing of this module is. */
function programOf({ seconds, file }: Profiled): string {
  return `(() => {
    const inspector = process.getBuiltinModule('node:inspector')
    const fs = process.getBuiltinModule('node:fs')
    const file = ${JSON.stringify(file)}
    process.once('SIGUSR2', () => {
      const session = new inspector.Session()
      session.connect()
      session.post('Profiler.enable')
      session.post('Profiler.setSamplingInterval', { interval: ${SAMPLE_US} })
      session.post('Profiler.start')
      setTimeout(() => session.post('Profiler.stop', (err, result) => {
        session.disconnect()
        fs.writeFileSync(file + '.new', JSON.stringify(err ?? result.profile))
        fs.renameSync(file + '.new', file)
      }), ${seconds * 1_000})
    })
    setTimeout(() => inspector.close(), ${POLL_MS})
    return process.pid
  })()`
}

/** @returns the address to speak to */
function openInspector(pid: number): Promise<string> {
  return until(
    `inspector of ${pid} open`,
    OPEN_WITHIN_MS,
    async () => (await targetsNow())?.[0]?.webSocketDebuggerUrl
  )
}

/** Undefined when no inspector listens. */
async function targetsNow(): Promise<{ webSocketDebuggerUrl: string }[] | undefined> {
  try {
    const answer = await fetch(INSPECTOR, { headers: { connection: 'close' } })
    return (await answer.json()) as { webSocketDebuggerUrl: string }[]
  } catch {
    return undefined
  }
}

function evaluate(url: string, expression: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url)
    socket.onopen = () => {
      socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }))
    }
    socket.onmessage = ({ data }) => {
      socket.close()
      const { result } = JSON.parse(String(data)) as { result: { result: { value?: unknown } } }
      resolve(result.result.value)
    }
    socket.onerror = () => reject(new Error(`no inspector at ${url}`))
  })
}

async function until<T>(
  what: string,
  withinMs: number,
  look: () => Promise<T | undefined>
): Promise<T> {
  const untilMs = performance.now() + withinMs
  for (;;) {
    const seen = await look()
    if (seen !== undefined) return seen
    if (performance.now() > untilMs) throw new Error(`${what}: not within ${withinMs} ms`)
    await sleep(POLL_MS)
  }
}
