/**
 * `convoy status`: the cluster on one screen.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { command, printJson } from '../command.ts'
import { Orchestrators } from '../orchestrator.ts'
import { CommandError, EXIT } from '../outcome.ts'
import { Screen } from '../status/screen.ts'
import { type Sight, sights } from '../status/sight.ts'
import { statusText } from '../status/text.ts'
import { targetOf } from '../target.ts'
import { stdout, styled } from '../terminal.ts'

const AGAIN_MS = 500

interface Own {
  readonly watch: boolean
}

export const status = command<Own>({
  usage: 'status',
  describe: 'Shows the cluster on one screen: who leads, who is in sync, load, scaling, elections',
  options: yargs =>
    yargs.option('watch', {
      alias: 'w',
      type: 'boolean',
      default: false,
      describe: 'Draw it again whenever something changes, until Ctrl-C'
    }),
  examples: [
    ['$0 status', 'once'],
    ['$0 status --watch', 'on and on'],
    ["$0 status --json | jq '.cluster.term'", 'for a script']
  ],
  epilogue:
    'Requests per second are those of the whole cluster; latencies and failures those of the orchestrator that is asked.',
  run: async args => {
    const ended = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ended.abort())
    const orchestrators = new Orchestrators(targetOf(args))
    if (args.watch) await watch(orchestrators, { json: args.json, ended: ended.signal })
    else {
      for await (const sight of sights(orchestrators, ended.signal)) {
        if (args.json) printJson(shown(sight))
        else stdout(statusText(sight))
        break
      }
    }
    return EXIT.done
  }
})

const shown = ({ happenings, ...sight }: Sight) => ({
  ...sight,
  elections: happenings.filter(({ type }) => type === 'elected')
})

/** The first failure ends it; later ones pass: the next orchestrator is asked, or the same again. */
async function watch(
  orchestrators: Orchestrators,
  { json, ended }: { readonly json: boolean; readonly ended: AbortSignal }
): Promise<void> {
  const onTerminal = process.stdout.isTTY && !json
  let last: string | undefined
  using opened = new DisposableStack()
  let screen: Screen | undefined
  const show = (text: string) => {
    if (!onTerminal) return stdout(`${text}\n`)
    screen ??= opened.use(new Screen(process.stdout))
    screen.draw(text)
  }
  while (!ended.aborted) {
    try {
      for await (const sight of sights(orchestrators, ended)) {
        last = statusText(sight)
        if (json) printJson(shown(sight))
        else show(last)
      }
    } catch (err) {
      if (ended.aborted) return
      if (last === undefined || !(err instanceof CommandError)) throw err
      if (!json) show(`${styled('red', err.message)}\n${last}`)
    }
    await sleep(AGAIN_MS, undefined, { signal: ended }).catch(() => {})
  }
}
