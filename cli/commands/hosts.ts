/**
 * `convoy hosts` and `convoy add-host`: the Docker engines that workers run on.
 */
import { type Command, command, printJson } from '../command.ts'
import { orchestratorsOf } from '../orchestrator.ts'
import { UsageError } from '../outcome.ts'
import { stdout, table } from '../terminal.ts'

const PATH = '/api/v1/cluster/hosts'

interface Host {
  readonly name: string
  readonly url: string
  readonly reached: boolean
  readonly workers: number
}

interface Own {
  readonly name: string | undefined
  readonly engine: string | undefined
}

export const hosts: Command = command({
  usage: 'hosts',
  describe: 'Lists the Docker engines that workers run on',
  examples: [['$0 hosts', 'and whether they are reached']],
  run: async args => {
    const all = await orchestratorsOf(args).call<Host[]>({ method: 'GET', path: PATH })
    const columns = [
      { head: 'name', text: ({ name }: Host) => name },
      { head: 'engine', text: ({ url }: Host) => url },
      { head: 'reached', text: ({ reached }: Host) => (reached ? 'yes' : 'NO') },
      { head: 'workers', right: true, text: (host: Host) => String(host.workers) }
    ]
    if (args.json) printJson(all)
    else stdout(table(columns, all))
    return undefined
  }
})

export const addHost: Command = command<Own>({
  usage: 'add-host <name> <engine>',
  describe: 'Joins a further Docker engine, on which workers may then run',
  options: yargs =>
    yargs
      .positional('name', { type: 'string', describe: 'What it is to be called' })
      .positional('engine', {
        type: 'string',
        describe: 'tcp://host:2376, or the path of a socket'
      }),
  examples: [
    ['$0 add-host db2 tcp://db2:2376', 'over TLS'],
    ['$0 add-host local /run/docker.sock', 'on the machine of the orchestrators']
  ],
  run: async args => {
    const { name, engine = '' } = args
    const isUrl = engine.startsWith('tcp://')
    if (!isUrl && !engine.startsWith('/')) {
      throw new UsageError(`"${engine}" is neither tcp://host:2376 nor the path of a socket`)
    }
    const body = isUrl ? { name, url: engine } : { name, socket: engine }
    const answer = await orchestratorsOf(args).call({ method: 'POST', path: PATH, body })
    if (args.json) printJson(answer)
    else stdout(`${name} has joined; \`convoy hosts\` shows whether it is reached`)
    return undefined
  }
})
