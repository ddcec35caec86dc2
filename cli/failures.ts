/**
 * What is said of a call that has come to nothing, with what to do about it: refused, never
 * taken by anybody, or sent and not answered.
 * Invariant: what may have been done is never told as if it were not (exit code 5).
 */
import { CommandError, EXIT, type ExitCode } from './outcome.ts'

interface ErrorBody extends Readonly<Record<string, unknown>> {
  readonly code?: string
  readonly message?: string
}

/** @param cause why the last one did not answer */
export function unreachable(urls: readonly string[], cause: unknown): CommandError {
  return new CommandError(`no orchestrator answers at ${urls.join(', ')}: ${reasonOf(cause)}`, {
    exitCode: EXIT.unreachable,
    next: 'start the system with `convoy up`, or name a running orchestrator with --url',
    cause
  })
}

/** The call was sent, and changes something. */
export function unanswered(url: string, cause: unknown): CommandError {
  return new CommandError(`${url} was asked, and has not answered: ${reasonOf(cause)}`, {
    exitCode: EXIT.unknownOutcome,
    next: 'it may be done or not: `convoy status` and `convoy events` show what has become of it',
    cause
  })
}

/** Of a stream that had begun. */
export function brokenOff(cause: unknown): CommandError {
  return new CommandError(`the orchestrator tells nothing any more: ${reasonOf(cause)}`, {
    exitCode: EXIT.unreachable,
    next: 'try again: another one is asked, if there is one',
    cause
  })
}

/** What fetch fails with has the reason inside. */
function reasonOf(err: unknown): string {
  const inner = err instanceof Error && err.cause instanceof Error ? err.cause : err
  const { code, message } = inner as NodeJS.ErrnoException
  return code ?? message
}

const NEXT: Readonly<Record<string, string>> = {
  CONVOY_NO_SUCH_WORKER: '`convoy workers` shows which there are; an election may be under way',
  CONVOY_NO_SUCCESSOR:
    '`convoy status` shows what the replicas lack; try again when one is in sync',
  CONVOY_SETTINGS_NOT_STORED: 'send it again; `convoy logs zookeeper` if that does not help',
  CONVOY_FROZEN: 'ask another one with --url, or let it serve again with `convoy start`',
  CONVOY_OVERLOADED: 'try again; `convoy status` shows what is missing',
  CONVOY_NOT_FOUND: 'this orchestrator does not know the call: is it an older version?'
}

export function refusalOf(status: number, text: string): CommandError {
  const { code = `HTTP ${status}`, message = text.slice(0, 500), ...details } = bodyOf(text)
  return new CommandError(`${message} (${code})`, {
    exitCode: exitCodeOf(status),
    next: nextFor(status, code),
    code,
    details
  })
}

function nextFor(status: number, code: string): string | undefined {
  if (status === 401)
    return 'set CONVOY_TOKEN, or name a file that holds the token with --token-file'
  if (status === 403) return 'use a token with more rights'
  if (status === 504) return '`convoy status` shows whether there is a master; then try again'
  return NEXT[code]
}

function exitCodeOf(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.notAllowed
  return status === 504 ? EXIT.unknownOutcome : EXIT.failed
}

function bodyOf(text: string): ErrorBody {
  try {
    return JSON.parse(text) as ErrorBody
  } catch {
    return {}
  }
}

export const isFrozen = ({ code }: CommandError): boolean => code === 'CONVOY_FROZEN'

/** Whether the same call may be answered otherwise in a moment. */
export const mayPass = (failure: CommandError): boolean =>
  failure.exitCode === EXIT.unreachable ||
  failure.exitCode === EXIT.unknownOutcome ||
  failure.code === 'CONVOY_OVERLOADED' ||
  isFrozen(failure)

/** By how much they say of a call, least first. */
const GRAVITY: readonly ExitCode[] = [EXIT.unreachable, EXIT.failed, EXIT.unknownOutcome]

/** Of two attempts at one call, the failure to tell: the later one, unless the earlier may have done it. */
export const graver = (before: CommandError | undefined, now: CommandError): CommandError =>
  before !== undefined &&
  mayPass(now) &&
  GRAVITY.indexOf(before.exitCode) > GRAVITY.indexOf(now.exitCode)
    ? before
    : now
