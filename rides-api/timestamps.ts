/**
 * Timestamps as the clients write them: `DD-MM-YYYY:SS-MM-HH`, seconds before minutes
 * before hours, on the clocks of one time zone. Only real dates and times pass.
 */
import { InvalidTimestampError } from './errors.ts'

const FORM = /^(\d{2})-(\d{2})-(\d{4}):(\d{2})-(\d{2})-(\d{2})$/

export interface Clock {
  /**
   * The instant that `timestamp` names, in whole seconds since 1970 UTC. A time that a
   * change of clocks skips is the one an hour later, one that it repeats is the first.
   * @throws InvalidTimestampError
   */
  secondsOf(timestamp: string): number
}

/** @throws RangeError when there is no such zone */
export function clockOf(timeZone: string): Clock {
  const format = new Intl.DateTimeFormat('en-u-ca-iso8601-nu-latn', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric'
  })
  const offsetMs = (utcMs: number) => wallClockMs(format, utcMs) - utcMs
  return {
    secondsOf(timestamp) {
      const wallMs = parse(timestamp)
      // The offset before the time and the one after it differ only at a change of
      // clocks; the earlier instant that reads as `wallMs` is the wanted one.
      const before = wallMs - offsetMs(wallMs - DAY_MS)
      const after = wallMs - offsetMs(wallMs + DAY_MS)
      const matches = [before, after].filter(utcMs => utcMs + offsetMs(utcMs) === wallMs)
      return (matches.length > 0 ? Math.min(...matches) : before) / 1_000
    }
  }
}

const DAY_MS = 86_400_000

/** What the clocks show, as if they showed UTC. */
function wallClockMs(format: Intl.DateTimeFormat, utcMs: number): number {
  const shown: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(utcMs)) shown[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown
  return utc([year, month, day, hour, minute, second]).getTime()
}

/** @throws InvalidTimestampError */
function parse(timestamp: string): number {
  const [, day, month, year, second, minute, hour] = (FORM.exec(timestamp) ?? []).map(Number)
  const fields = [year, month, day, hour, minute, second]
  const date = utc(fields as number[])
  const same = [
    date.getUTCFullYear(),
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds()
  ].every((value, i) => value === fields[i])
  // Date makes 1 March of 30 February: what does not come back unchanged is not real.
  if (!same || year === 0) throw new InvalidTimestampError()
  return date.getTime()
}

/** Date.UTC takes the years 0 to 99 for 1900 to 1999; this does not. */
function utc([year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0]: number[]): Date {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second)
  return date
}
