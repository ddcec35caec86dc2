/**
 * One JSON line per decision on standard output: a constant message, values in
 * fields. Nothing per request at level info.
 */
import { type Logger, pino } from 'pino'

export type { Logger }

/** Made from a logger for as long as that lives; what is made for one request dies before it matters. */
const followers = new WeakMap<Logger, Logger[]>()

export function openLog(options: { service: string; level: string }): Logger {
  return pino({
    level: options.level,
    base: { service: options.service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: ['req.headers.authorization', '*.password', '*.token'], remove: true }
  })
}

/** A logger whose lines carry `fields`, and whose level follows that of `log`. */
export function childOf(log: Logger, fields: Readonly<Record<string, unknown>>): Logger {
  const child = log.child(fields)
  follow(log, child)
  return child
}

export function follow(log: Logger, child: Logger): void {
  followers.set(log, [...(followers.get(log) ?? []), child])
}

/** Of `log` and of all that follow it. */
export function setLevel(log: Logger, level: string): void {
  log.level = level
  for (const child of followers.get(log) ?? []) setLevel(child, level)
}
