/**
 * What all scripts have in common: a mistake of their user is told in a line, the
 * reason last, without the stack that a bug gets.
 */
import { ConfigError } from '../platform/config.ts'

/** The user can do something about it; the message says what. */
export class UserError extends Error {
  override readonly name: string = 'UserError'
}

/** For yargs' `showHelpOnFail(false, ...)`: the whole help would hide the reason. */
export const SEE_HELP = 'See --help.'

const UNREACHABLE = /^(E(CONN|HOST|NET|NOTFOUND|AI_)|UND_ERR_(CONNECT|HEADERS|SOCKET))/

/** For yargs' `coerce`. */
export function httpUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const isHttp = URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
  if (!isHttp) throw new UserError('--url is an address such as http://127.0.0.1:8090')
  return text.replace(/\/+$/, '')
}

/** npm, the shell and the terminal may each deliver the same Ctrl-C. */
const SAME_SIGNAL_MS = 1_000

/** @returns what is aborted when the user asks to stop; a second, later request ends the script at once */
export function stopOnSignal(say: (line: string) => void): AbortSignal {
  const request = new AbortController()
  let askedAtMs = 0
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      const again = request.signal.aborted && performance.now() - askedAtMs > SAME_SIGNAL_MS
      if (again) process.exit(1) // Whoever repeats it means it; the kernel ends the children.
      if (request.signal.aborted) return
      askedAtMs = performance.now()
      say(`${name}: stopping`)
      request.abort(new Error(`stopped by ${name}`))
    })
  }
  return request.signal
}

/** Tells the user of `err` and ends the script with 1. */
export function failed(err: unknown, url?: string): never {
  const isMistake = err instanceof UserError || err instanceof ConfigError
  if (isMistake) console.error(err.message)
  else if (url !== undefined && isUnreachable(err)) {
    console.error(`cannot reach ${url}: ${reasonOf(err)}`)
  } else console.error(err)
  process.exit(1)
}

const isUnreachable = (err: unknown): err is NodeJS.ErrnoException =>
  err instanceof Error && UNREACHABLE.test(String((err as NodeJS.ErrnoException).code))

/** The error of several addresses in one has no message of its own. */
const reasonOf = (err: NodeJS.ErrnoException): string => err.message || String(err.code)
