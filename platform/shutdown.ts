/**
 * On the first SIGTERM or SIGINT closes everything that `main` opened, last opened
 * first. Exits 0 when all of it closed, 1 when something failed or `graceMs` ran
 * out. A later signal exits at once: an operator who repeats it means it.
 */
import type { Logger } from './log.ts'

/**
 * One stop can arrive several times: from the terminal and from the parent, and from a
 * parent that is killed once per thread of it (`setpriv --pdeathsig`).
 */
const SAME_SIGNAL_MS = 1_000

export function shutdownOnSignal(
  opened: AsyncDisposableStack,
  options: { log: Logger; graceMs: number }
): void {
  const { log, graceMs } = options
  let stoppingSince: number | undefined
  const stop = async (signal: NodeJS.Signals) => {
    if (stoppingSince !== undefined) {
      if (performance.now() - stoppingSince > SAME_SIGNAL_MS) process.exit(1)
      return
    }
    stoppingSince = performance.now()
    log.info({ signal, graceMs }, 'shutting down')
    setTimeout(() => {
      log.error({ graceMs }, 'shutdown timed out')
      process.exit(1)
    }, graceMs).unref()
    try {
      await opened.disposeAsync()
      process.exit(0)
    } catch (err) {
      log.error({ err }, 'shutdown failed')
      process.exit(1)
    }
  }
  process.on('SIGTERM', stop).on('SIGINT', stop)
}
