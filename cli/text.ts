/**
 * Numbers and times as people read them.
 */
const MINUTE_S = 60
const HOUR_S = 60 * MINUTE_S
const DAY_S = 24 * HOUR_S

/** How long ago: `12 s`, `5 min`, `3 h`, `2 d`. */
export function ageText(at: string, nowMs = Date.now()): string {
  const seconds = Math.max(0, Math.round((nowMs - Date.parse(at)) / 1_000))
  if (Number.isNaN(seconds)) return '?'
  if (seconds < 2 * MINUTE_S) return `${seconds} s`
  if (seconds < 2 * HOUR_S) return `${Math.floor(seconds / MINUTE_S)} min`
  if (seconds < 2 * DAY_S) return `${Math.floor(seconds / HOUR_S)} h`
  return `${Math.floor(seconds / DAY_S)} d`
}

/** How long until: 0 s when it is past. */
export const untilText = (at: string, nowMs = Date.now()): string =>
  ageText(new Date(2 * nowMs - Date.parse(at)).toISOString(), nowMs)

export function msText(ms: number | null): string {
  if (ms === null) return '-'
  if (ms >= 10_000) return `${(ms / 1_000).toFixed(0)} s`
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${ms.toFixed(0)} ms`
}

export const rateText = (perS: number): string =>
  perS > 0 && perS < 10 ? perS.toFixed(1) : perS.toFixed(0)

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const

/** In thousands: `999 B`, `1.2 MB`, `34 GB`. */
export function bytesText(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000
    unit += 1
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : value.toFixed(0)} ${UNITS[unit]}`
}

export const plural = (count: number, word: string): string =>
  `${count} ${word}${count === 1 ? '' : 's'}`
