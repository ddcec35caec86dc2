/**
 * Runs a system until it is asked to stop.
 */
import { convoySettings, loadStarterConfig } from '../../local/config.ts'
import { type Convoy, startConvoy } from '../../local/convoy.ts'
import { accountOf } from '../../local/folder.ts'
import { ensureSoftware } from '../../local/install/install.ts'
import { followNews } from '../../local/news.ts'
import { stopOnSignal, UserError } from '../../local/script.ts'
import { type Arguments, printJson } from '../command.ts'
import { EXIT, type ExitCode } from '../outcome.ts'
import { bannerOf } from './banner.ts'
import type { UpOptions } from './options.ts'
import type { Place } from './place.ts'
import type { Say } from './saying.ts'

const READY_MS = 120_000
/** Relative to the base. */
const PORTS = { lb: 0, 'users-api': 1, 'rides-api': 2, orchestrator: 10 }

type Args = Arguments<UpOptions>

export async function inForeground(
  args: Args,
  { place, say }: { readonly place: Place; readonly say: Say }
): Promise<ExitCode> {
  const startedAtMs = performance.now()
  const stopped = stopOnSignal(say)
  try {
    const convoy = await start(args, { place, say, stopped })
    const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1)
    if (args.json) printJson(convoy.run)
    else console.log(bannerOf(convoy, { replicas: args.replicas, seconds }))
    await followNews({ urls: convoy.run.orchestrators, token: convoy.token, say, stopped })
    await convoy.stop()
  } catch (err) {
    if (!stopped.aborted) throw err
  }
  say('stopped; nothing is left running')
  return EXIT.done
}

async function start(
  args: Args,
  { place, say, stopped }: { place: Place; say: Say; stopped: AbortSignal }
): Promise<Convoy> {
  const config = loadStarterConfig()
  if (args.replicas !== undefined) {
    checkReplicas({ replicas: args.replicas, minCopies: config.CONVOY_MIN_COPIES, say })
  }
  const software = ensureSoftware(say)
  if (process.getuid?.() === 0) accountOf(config.CONVOY_POSTGRES_USER)
  const folder = place.open()
  const ports = Object.entries(PORTS).map(([name, offset]) => [name, args.portBase + offset])
  say('starting RabbitMQ, ZooKeeper, orchestrator, workers, users-api, rides-api, lb')
  return startConvoy(
    {
      folder,
      software,
      cluster: config.CONVOY_CLUSTER,
      ports: Object.fromEntries(ports),
      replicas: args.replicas,
      orchestrators: args.orchestrators,
      fresh: args.fresh,
      tls: args.tls,
      settings: convoySettings(),
      postgresUser: config.CONVOY_POSTGRES_USER,
      readyMs: READY_MS,
      say
    },
    stopped
  )
}

/** A master counts as a copy. @throws UserError when no write could ever be acknowledged */
function checkReplicas({
  replicas,
  minCopies,
  say
}: {
  readonly replicas: number
  readonly minCopies: number
  readonly say: Say
}): void {
  if (replicas + 1 < minCopies) {
    throw new UserError(
      `--replicas must be at least ${minCopies - 1}: a write needs ${minCopies} copies (CONVOY_MIN_COPIES)`
    )
  }
  if (replicas + 1 > minCopies || minCopies === 1) return
  const whose = replicas === 1 ? 'its only replica' : 'any of its replicas'
  say(`--replicas ${replicas}: writes wait while the master or ${whose} is replaced`)
}
