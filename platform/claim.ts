/**
 * A name that one process of this machine holds against all others. A claim is an
 * abstract Unix socket: it leaves no file, two cannot hold it, and the kernel frees it
 * when the holder dies, however it dies.
 */
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 25

/** @returns undefined when somebody holds the name */
export async function claim(name: string): Promise<AsyncDisposable | undefined> {
  const server = createServer(socket => socket.destroy())
  const held = await new Promise<boolean>(resolve => {
    server.once('error', () => resolve(false))
    server.listen({ path: `\0convoy/${name}` }, () => resolve(true))
  })
  if (!held) return undefined
  server.unref()
  return {
    [Symbol.asyncDispose]: () => new Promise(resolve => server.close(() => resolve()))
  }
}

/**
 * As `claim`, but waits for a holder that is about to end: a process that was killed ends
 * thread by thread, and the last one frees what it held.
 */
export async function claimWithin(ms: number, name: string): Promise<AsyncDisposable | undefined> {
  const untilMs = performance.now() + ms
  for (;;) {
    const held = await claim(name)
    if (held !== undefined || performance.now() >= untilMs) return held
    await sleep(POLL_MS)
  }
}
