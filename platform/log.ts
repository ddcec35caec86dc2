/**
 * One JSON line per decision on standard output: a constant message, values in
 * fields. Nothing per request at level info.
 */
import { type Logger, pino } from 'pino'

export type { Logger }

export function openLog(options: { service: string; level: string }): Logger {
  return pino({
    level: options.level,
    base: { service: options.service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: ['req.headers.authorization', '*.password', '*.token'], remove: true }
  })
}
