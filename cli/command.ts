/**
 * What a command of `convoy` is: one file of `commands/` each, listed in commands.ts.
 * All of them share the options below, and end with an exit code.
 */
import type { ArgumentsCamelCase, Argv } from 'yargs'
import { httpUrl } from '../local/script.ts'
import type { ExitCode } from './outcome.ts'
import { stdout } from './terminal.ts'

export interface Shared {
  readonly url: string | undefined
  readonly 'token-file': string | undefined
  readonly folder: string | undefined
  readonly json: boolean
}

export type Arguments<Own> = ArgumentsCamelCase<Own & Shared>

/** Which system a command is about. */
export type Where = Pick<ArgumentsCamelCase<Shared>, 'url' | 'folder' | 'tokenFile'>

export interface Command {
  /** The first word of its usage. */
  readonly name: string
  /** Of one whose help yargs does not write. */
  readonly ownHelp?: string
  addTo(all: Argv<Shared>): Argv<Shared>
}

export interface CommandSpec<Own> {
  /** As yargs takes it: `scale [replicas]`. */
  readonly usage: string
  readonly describe: string
  readonly options?: (yargs: Argv<Shared>) => Argv<Own & Shared>
  /** What it does, and how it looks on the command line. */
  readonly examples: readonly (readonly [command: string, what: string])[]
  /** What else its help tells. */
  readonly epilogue?: string
  /** @returns the exit code; 0 when nothing is said */
  readonly run: (args: Arguments<Own>) => Promise<ExitCode | undefined>
}

export function command<Own>(spec: CommandSpec<Own>): Command {
  const { usage, describe, examples, epilogue } = spec
  const builder = (yargs: Argv<Shared>) => {
    const own = spec.options === undefined ? (yargs as Argv<Own & Shared>) : spec.options(yargs)
    for (const [line, what] of examples) own.example(line, what)
    return epilogue === undefined ? own : own.epilogue(epilogue)
  }
  return {
    name: usage.split(' ')[0] ?? usage,
    addTo: all =>
      all.command(usage, describe, builder, async args => {
        process.exitCode = (await spec.run(args)) ?? 0
      })
  }
}

export const withShared = (yargs: Argv): Argv<Shared> =>
  yargs
    .option('url', {
      type: 'string',
      coerce: httpUrl,
      describe: 'An orchestrator; by default that of the system that runs in this checkout'
    })
    .option('token-file', {
      type: 'string',
      describe: 'Holds the bearer token; CONVOY_TOKEN wins, and is never shown'
    })
    .option('folder', {
      type: 'string',
      defaultDescription: '.convoy of this checkout',
      describe: 'Where the system keeps its things'
    })
    .option('json', { type: 'boolean', default: false, describe: 'Print JSON' })

/** For scripts: one document, or a line for each of many. */
export const printJson = (value: unknown) => stdout(JSON.stringify(value))
