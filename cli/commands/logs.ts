/**
 * `convoy logs`: what the processes of the running system say, in one list.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Found, LogLine } from '../../orchestrator/dashboard/log-search.ts'
import { type Arguments, command, printJson } from '../command.ts'
import { Tails } from '../logs/files.ts'
import {
  byTime,
  isWanted,
  LEVEL_NAMES,
  type Level,
  lineText,
  sinceOf,
  type Wanted
} from '../logs/lines.ts'
import { orchestratorsOf } from '../orchestrator.ts'
import { CommandError, EXIT, UsageError } from '../outcome.ts'
import { folderOf } from '../target.ts'
import { stdout } from '../terminal.ts'

interface Own {
  readonly service: string | undefined
  readonly follow: boolean
  readonly request: string | undefined
  readonly level: Level | undefined
  readonly lines: number
  readonly since: string | undefined
}

export const logs = command<Own>({
  usage: 'logs [service]',
  describe: 'Shows the log lines of all processes, by time',
  options: yargs =>
    yargs
      .positional('service', {
        type: 'string',
        describe:
          'orchestrator, worker, users-api, rides-api, lb, starter; or rabbitmq, zookeeper, postgres, which are shown only when named'
      })
      .option('follow', {
        alias: 'f',
        type: 'boolean',
        default: false,
        describe: 'Go on with what comes, until Ctrl-C'
      })
      .option('request', { type: 'string', describe: 'Only lines of the request with this id' })
      .option('level', { choices: LEVEL_NAMES, describe: 'Only this level and those above' })
      .option('lines', { alias: 'n', type: 'number', default: 100, describe: 'The last so many' })
      .option('since', { type: 'string', describe: 'From then on: 10m, 2h, or a time' }),
  examples: [
    ['$0 logs --follow', 'everything that Convoy says'],
    ['$0 logs worker --level warn --since 1h', 'what went wrong in workers'],
    ['$0 logs --request 6d1f9d2a', 'one request on its way, by its x-request-id'],
    ['$0 logs postgres -n 20', 'the databases of the workers']
  ],
  epilogue:
    'Requests are logged at level debug: `convoy config set log.lb debug`, and so on for each service.\n' +
    'With --url, only --request is answered. Logs of containers are read with `docker logs`.',
  run: async args => {
    const since = args.since === undefined ? undefined : sinceOf(args.since)
    if (args.since !== undefined && since === undefined) {
      throw new UsageError(`--since ${args.since} is neither an age such as 10m nor a time`)
    }
    const wanted: Wanted = { level: args.level, requestId: args.request, since }
    const show = (line: LogLine) => (args.json ? printJson(line) : stdout(lineText(line)))
    const first = args.url === undefined ? null : await askedFor(args)
    if (first !== null) for (const line of first) show(line)
    else await fromFiles(args, { wanted, show })
    return EXIT.done
  }
})

async function askedFor(args: Arguments<Own>): Promise<LogLine[]> {
  if (args.request === undefined) {
    throw new UsageError('logs of another system are told by request', 'give --request')
  }
  const path = `/api/v1/requests/${encodeURIComponent(args.request)}/logs`
  const found = await orchestratorsOf(args).call<Found>({ method: 'GET', path })
  return byTime(found.lines)
}

async function fromFiles(
  args: Arguments<Own>,
  { wanted, show }: { readonly wanted: Wanted; readonly show: (line: LogLine) => void }
): Promise<void> {
  const root = folderOf(args)
  if (!existsSync(join(root, 'logs'))) {
    throw new CommandError(`there are no logs in ${root}`, {
      exitCode: EXIT.unreachable,
      next: 'start a system with `convoy up`, or name its folder with --folder'
    })
  }
  const tails = new Tails(root, args.service)
  const last = (await tails.read()).filter(line => isWanted(line, wanted))
  for (const line of args.lines > 0 ? last.slice(-args.lines) : []) show(line)
  if (!args.follow) return
  const ended = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ended.abort())
  for await (const line of tails.follow(ended.signal)) if (isWanted(line, wanted)) show(line)
}
