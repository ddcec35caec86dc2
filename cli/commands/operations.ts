/**
 * `convoy operations`: the operations of the API, each of which can be switched off.
 */
import { type Arguments, command, printJson } from '../command.ts'
import { changeControls, takenText } from '../controls.ts'
import { type Orchestrators, orchestratorsOf } from '../orchestrator.ts'
import { UsageError } from '../outcome.ts'
import { stdout, table } from '../terminal.ts'

const ACTIONS = ['list', 'enable', 'disable'] as const

interface Own {
  readonly action: (typeof ACTIONS)[number]
  readonly name: string | undefined
}

interface Operation {
  readonly name: string
  readonly services: readonly string[]
  readonly enabled: boolean
}

export const operations = command<Own>({
  usage: 'operations [action] [name]',
  describe: 'Lists the operations of the API, and switches single ones off and on',
  options: yargs =>
    yargs
      .positional('action', { choices: ACTIONS, default: 'list' as const })
      .positional('name', { type: 'string', describe: 'As `list` names it' }),
  examples: [
    ['$0 operations', 'all of them'],
    ['$0 operations disable rides.create', 'answered with 503 CONVOY_OPERATION_DISABLED'],
    ['$0 operations enable rides.create', 'and on again']
  ],
  run: async args => {
    const orchestrators = orchestratorsOf(args)
    if (args.action === 'list') await list(orchestrators, args)
    else await change(orchestrators, args)
    return undefined
  }
})

async function list(orchestrators: Orchestrators, { json }: Arguments<Own>): Promise<void> {
  const path = '/api/v1/controls/operations'
  const all = await orchestrators.call<Operation[]>({ method: 'GET', path })
  if (json) return printJson(all)
  const columns = [
    { head: 'operation', text: ({ name }: Operation) => name },
    { head: '', text: ({ enabled }: Operation) => (enabled ? 'enabled' : 'DISABLED') },
    { head: 'of', text: ({ services }: Operation) => services.join(', ') }
  ]
  stdout(table(columns, all))
}

async function change(orchestrators: Orchestrators, args: Arguments<Own>): Promise<void> {
  const { action, name, json } = args
  if (name === undefined) throw new UsageError(`say which operation to ${action}`)
  const body = { operation: name }
  const changed = await changeControls(orchestrators, { method: 'POST', name: action, body })
  if (json) printJson(changed)
  else stdout(`${name} is ${action}d: ${takenText(changed)}`)
}
