/**
 * The command line as yargs takes it: all commands, what they share, completion.
 */
import yargs from 'yargs'
import { withShared } from './command.ts'
import { COMMANDS } from './commands.ts'
import { UsageError } from './outcome.ts'

/** Of the help, whatever the terminal is: docs/cli.md shows the same. */
const COLUMNS = 100

const EXIT_CODES =
  'Exit codes: 0 done, 1 failed, 2 usage, 3 nothing runs or answers, 4 not allowed, 5 outcome unknown.'

export function convoyCommand(words: readonly string[]) {
  const all = withShared(yargs([...words]).scriptName('convoy')).usage(
    '$0 <command> [options]\n\nOperates a Convoy cluster: starts it, shows it, changes it, asks it.'
  )
  for (const { addTo } of COMMANDS) addTo(all)
  return all
    .completion('completion', 'Prints a completion script for bash or zsh')
    .example('$0 up -d', 'start a system on this machine, in the background')
    .example('$0 status --watch', 'what it does')
    .example('source <($0 completion)', 'complete words with the Tab key')
    .epilogue(`${EXIT_CODES}\nMore: docs/cli.md. \`convoy <command> --help\` has examples.`)
    .demandCommand(1, 'say what to do')
    .recommendCommands()
    .strict()
    .wrap(COLUMNS)
    .fail((message, error) => {
      throw message ? new UsageError(message) : error
    })
}
