/**
 * `convoy config`: settings of the running cluster, changed without a restart.
 */
import { clusterOf } from '../cluster.ts'
import { type Arguments, command, printJson } from '../command.ts'
import { type Changed, controlsOf, takenText } from '../controls.ts'
import { type Orchestrators, orchestratorsOf } from '../orchestrator.ts'
import { UsageError } from '../outcome.ts'
import { DEFAULT, type Present, SETTINGS, settingOf } from '../settings.ts'
import { stdout, table } from '../terminal.ts'

const ACTIONS = ['list', 'get', 'set'] as const

interface Own {
  readonly action: (typeof ACTIONS)[number]
  readonly key: string | undefined
  readonly value: string | undefined
}

export const config = command<Own>({
  usage: 'config [action] [key] [value]',
  describe: 'Shows and changes settings of the running cluster, without a restart',
  options: yargs =>
    yargs
      .positional('action', { choices: ACTIONS, default: 'list' as const })
      .positional('key', { type: 'string', describe: 'As `list` names it' })
      .positional('value', {
        type: 'string',
        describe: `With set; "${DEFAULT}" goes back to what the environment says`
      }),
  examples: [
    ['$0 config list', 'all settings, and what they are for'],
    ['$0 config get replicas', 'one of them'],
    ['$0 config set log.worker debug', 'on all workers, at once'],
    ['$0 config set workers.connections default', 'as the environment says']
  ],
  epilogue: 'What is set stands in ZooKeeper (/config), holds everywhere and outlives a restart.',
  run: async args => {
    const orchestrators = orchestratorsOf(args)
    if (args.action === 'set') await set(orchestrators, args)
    else await show(orchestrators, args)
    return undefined
  }
})

async function show(orchestrators: Orchestrators, args: Arguments<Own>): Promise<void> {
  if (args.action === 'get' && args.key === undefined) throw new UsageError('say which setting')
  const chosen = args.key === undefined ? SETTINGS : [settingOf(args.key)]
  const present = await presentOf(orchestrators)
  if (args.json) {
    printJson(Object.fromEntries(chosen.map(({ key, value }) => [key, value(present)])))
    return
  }
  const [only] = chosen
  if (args.action === 'get' && only !== undefined) {
    stdout(String(only.value(present) ?? DEFAULT))
    return
  }
  const columns = [
    { head: 'key', text: (one: (typeof SETTINGS)[number]) => one.key },
    {
      head: 'value',
      text: (one: (typeof SETTINGS)[number]) => String(one.value(present) ?? DEFAULT)
    },
    { head: 'what', text: (one: (typeof SETTINGS)[number]) => one.describe }
  ]
  stdout(table(columns, chosen))
}

async function set(orchestrators: Orchestrators, args: Arguments<Own>): Promise<void> {
  const { key, value } = args
  if (key === undefined || value === undefined) throw new UsageError('say which setting, and what')
  const setting = settingOf(key)
  const change = setting.change(value, await presentOf(orchestrators))
  const answer = await orchestrators.call<Partial<Changed>>(change)
  if (args.json) printJson(answer)
  else if ('acknowledged' in answer) stdout(`${key} is ${value}: ${takenText(answer as Changed)}`)
  else stdout(`${key} is ${value}`)
}

async function presentOf(orchestrators: Orchestrators): Promise<Present> {
  const [cluster, { controls }] = await Promise.all([
    clusterOf(orchestrators),
    controlsOf(orchestrators)
  ])
  return { cluster, controls }
}
