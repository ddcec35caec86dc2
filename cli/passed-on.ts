/**
 * Commands that are programs of their own, with options of their own: `convoy bench
 * failover --help` is what that program says.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Command, command } from './command.ts'
import { EXIT, type ExitCode } from './outcome.ts'
import { stdout } from './terminal.ts'

export interface Program {
  readonly name: string
  /** From the checkout. */
  readonly file: string
  readonly describe: string
}

const CHECKOUT = new URL('../', import.meta.url)
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface ProgramsSpec {
  readonly name: string
  readonly describe: string
  /** The first one runs when none is named. */
  readonly programs: readonly [Program, ...Program[]]
  readonly examples: readonly (readonly [command: string, what: string])[]
}

export function programsCommand(spec: ProgramsSpec): Command {
  const { name, describe, programs, examples } = spec
  const [first, ...others] = programs
  const added = command<{ readonly words: readonly string[] | undefined }>({
    usage: `${name} [words..]`,
    describe,
    examples,
    // All of its words are for the program.
    options: yargs =>
      yargs
        .positional('words', { type: 'string', array: true, describe: 'See --help' })
        .help(false)
        .version(false)
        .strict(false)
        .parserConfiguration({ 'unknown-options-as-args': true }),
    run: async () => {
      const words = process.argv.slice(process.argv.indexOf(name) + 1)
      if (others.length > 0 && HELP.test(words[0] ?? '')) {
        stdout(helpOf(spec))
        return EXIT.done
      }
      const named = programs.find(program => program.name === words[0])
      return await runProgram(named ?? first, named === undefined ? words : words.slice(1))
    }
  })
  return { ...added, ownHelp: helpOf(spec) }
}

const HELP = /^(-h|--help)$/

function helpOf({ name, describe, programs, examples }: ProgramsSpec): string {
  const several = programs.length > 1
  const list = several
    ? [
        pairsText(
          'Programs:',
          programs.map(one => [one.name, one.describe])
        ),
        ''
      ]
    : []
  const lines = examples.map(([line, what]) => [line.replace('$0', 'convoy'), what] as const)
  return [
    `convoy ${name} ${several ? '[program] ' : ''}[options]\n`,
    `${describe}\n`,
    ...list,
    pairsText('Examples:', lines),
    `\nconvoy ${name} ${several ? '<program> ' : ''}--help tells the options.`
  ].join('\n')
}

function pairsText(head: string, pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([first]) => first.length))
  return [head, ...pairs.map(([first, what]) => `  ${first.padEnd(width)}  ${what}`)].join('\n')
}

async function runProgram({ file }: Program, words: readonly string[]): Promise<ExitCode> {
  const program = fileURLToPath(new URL(file, CHECKOUT))
  const child = spawn(process.execPath, [program, ...words], { stdio: 'inherit' })
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal))
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  if (code === null) process.exit(128 + constants.signals[signal ?? 'SIGTERM'])
  return code === 0 ? EXIT.done : EXIT.failed
}
