/**
 * How a command ends: exit codes that scripts can branch on, and errors that say what to
 * do next. docs/cli.md lists the codes.
 */
import { UserError } from '../local/script.ts'

export const EXIT = {
  done: 0,
  /** Refused, or found wrong: workers that differ, SQL that failed. */
  failed: 1,
  usage: 2,
  /** Nothing runs here, or nothing answers. */
  unreachable: 3,
  /** Token missing, wrong, or not enough. */
  notAllowed: 4,
  /** No answer in time: it may or may not be done. */
  unknownOutcome: 5,
  /** Nothing was found wrong, but not all was looked at. */
  incomplete: 6
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

type Details = Readonly<Record<string, unknown>>

export interface CommandErrorOptions extends ErrorOptions {
  readonly exitCode?: ExitCode
  readonly next?: string | undefined
  readonly code?: string | undefined
  readonly details?: Details
}

/** A failure that the user can do something about. */
export class CommandError extends UserError {
  override readonly name: string = 'CommandError'
  readonly exitCode: ExitCode
  /** What to do about it. */
  readonly next: string | undefined
  /** Of the answer that it comes from, for --json. */
  readonly code: string | undefined
  /** What else the answer says: docs/errors.md. */
  readonly details: Details

  constructor(message: string, options: CommandErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.exitCode = options.exitCode ?? EXIT.failed
    this.next = options.next
    this.code = options.code
    this.details = options.details ?? {}
  }

  /** The same failure in other words. */
  saying(message: string, next: string | undefined): CommandError {
    const { exitCode, code, details } = this
    return new CommandError(message, { exitCode, next, code, details, cause: this })
  }
}

export class UsageError extends CommandError {
  override readonly name = 'UsageError'

  constructor(message: string, next = 'see --help') {
    super(message, { exitCode: EXIT.usage, next })
  }
}
