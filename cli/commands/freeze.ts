/**
 * `convoy freeze` and `convoy start`: an instance takes no more work, and takes it again.
 */
import { type Arguments, type Command, command, printJson } from '../command.ts'
import { changeControls, takenText } from '../controls.ts'
import { orchestratorsOf } from '../orchestrator.ts'
import { stdout } from '../terminal.ts'

interface Own {
  readonly instance: string | undefined
}

interface Forced extends Own {
  readonly force: boolean
}

const INSTANCE = {
  type: 'string',
  describe: 'Id or pid of a worker, orchestrator or service: `convoy status` shows them'
} as const

export const freeze: Command = command<Forced>({
  usage: 'freeze <instance>',
  describe: 'An instance finishes what it has, and takes no more work',
  options: yargs =>
    yargs.positional('instance', INSTANCE).option('force', {
      type: 'boolean',
      default: false,
      describe: 'Even where that leaves too few to serve'
    }),
  examples: [
    ['$0 freeze 24659', 'others serve meanwhile'],
    ['$0 start 24659', 'and it serves again']
  ],
  run: args => change('freeze', args, { force: args.force })
})

export const start: Command = command<Own>({
  usage: 'start <instance>',
  describe: 'A frozen instance takes work again',
  options: yargs => yargs.positional('instance', INSTANCE),
  examples: [['$0 start 24659', 'undoes `convoy freeze 24659`']],
  run: args => change('start', args, {})
})

async function change(name: 'freeze' | 'start', args: Arguments<Own>, more: object) {
  const body = { instance: String(args.instance), ...more }
  const changed = await changeControls(orchestratorsOf(args), { method: 'POST', name, body })
  if (args.json) printJson(changed)
  else
    stdout(`${args.instance} ${name === 'freeze' ? 'is frozen' : 'serves'}: ${takenText(changed)}`)
  return undefined
}
