/**
 * On the first SIGTERM or SIGINT closes everything that `main` opened, last opened
 * first. Exits 0 when all of it closed, 1 when something failed or `graceMs` ran
 * out. A second signal exits at once: an operator who repeats it means it.
 */
import type { Logger } from './log.ts'

export function shutdownOnSignal(
  opened: AsyncDisposableStack,
  options: { log: Logger; graceMs: number }
): void {
  const { log, graceMs } = options
  let stopping = false
  const stop = async (signal: NodeJS.Signals) => {
    if (stopping) process.exit(1)
    stopping = true
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
