/**
 * `npm start`: a whole Convoy on this machine, from nothing to a banner, until
 * Ctrl-C. Nothing on the machine is touched but Debian packages that are missing.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import yargs from 'yargs'
import { convoySettings, loadStarterConfig } from './config.ts'
import { ensureSoftware } from './machine/install.ts'
import { failed, SEE_HELP, stopOnSignal, UserError } from './script.ts'
import { type Convoy, removeConvoy, startConvoy } from './system/convoy.ts'
import { accountOf, dataFolderOf, openFolder } from './system/folder.ts'
import { followNews } from './system/news.ts'

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url))
const ROOT = join(CHECKOUT, '.convoy')
const READY_MS = 120_000
/** Relative to the base. */
const PORTS = { lb: 0, 'users-api': 1, 'rides-api': 2, orchestrator: 10 }

const startedAt = performance.now()
const say = (line: string) => {
  console.log(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${line}`)
}

const options = await yargs(process.argv.slice(2))
  .scriptName('npm start --')
  .usage('$0 [options]\n\nStarts Convoy on this machine, with servers of its own, until Ctrl-C.')
  .option('fresh', {
    type: 'boolean',
    default: false,
    describe: 'Begin empty: throw away all data of the last run'
  })
  .option('remove', {
    type: 'boolean',
    default: false,
    describe: 'Start nothing: remove all data, secrets and logs of this checkout'
  })
  .option('replicas', {
    type: 'number',
    describe: 'A fixed number of workers beside the master; by default 2 to 5, as the load asks for'
  })
  .option('orchestrators', {
    type: 'number',
    default: 1,
    describe: 'How many serve; one of them supervises, and any may die'
  })
  .option('port-base', {
    type: 'number',
    default: 8080,
    describe: 'lb listens here, users-api, rides-api and the first orchestrator 1, 2 and 10 above'
  })
  .check(({ replicas = 2, orchestrators, 'port-base': portBase }) => {
    if (!Number.isInteger(replicas) || replicas < 0 || replicas > 50) {
      throw new Error('--replicas is a number from 1 to 50')
    }
    if (!Number.isInteger(orchestrators) || orchestrators < 1 || orchestrators > 9) {
      throw new Error('--orchestrators is a number from 1 to 9')
    }
    if (!Number.isInteger(portBase) || portBase < 1_024 || portBase > 60_000) {
      throw new Error('--port-base is a number from 1024 to 60000')
    }
    return true
  })
  .example('npm start', 'start, with the users and rides of the last time')
  .example('npm start -- --fresh --replicas 4', 'an empty cluster of five workers')
  .example('npm start -- --port-base 9000', 'http://127.0.0.1:9000')
  .epilogue(
    'Everything lies in .convoy/: logs, data, and run.json with addresses for scripts.\n' +
      'Run by root, data and secrets lie in /var/lib/convoy/, linked from there.'
  )
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

// Whoever read our lines may be gone (`npm start | head`); stopping in order must go on.
process.stdout.on('error', () => {})

const stopped = stopOnSignal(say)

try {
  if (options.remove) await remove()
  else await run()
  process.exit(0)
} catch (err) {
  if (!stopped.aborted) failed(err)
  say('stopped; nothing is left running')
  process.exit(0)
}

async function remove(): Promise<void> {
  const data = dataFolderOf(CHECKOUT)
  await removeConvoy(openFolder(ROOT, data))
  say(`removed ${[ROOT, data].filter(dir => dir !== undefined).join(' and ')}`)
}

async function run(): Promise<void> {
  const convoy = await start()
  console.log(banner(convoy))
  await followNews({ urls: convoy.run.orchestrators, say, stopped })
  await convoy.stop()
  say('stopped; nothing is left running')
}

async function start(): Promise<Convoy> {
  const config = loadStarterConfig()
  if (options.replicas !== undefined) checkReplicas(options.replicas, config.CONVOY_MIN_COPIES)
  const software = ensureSoftware(say)
  if (process.getuid?.() === 0) accountOf(config.CONVOY_POSTGRES_USER)
  const folder = openFolder(ROOT, dataFolderOf(CHECKOUT))
  const ports = Object.entries(PORTS).map(([name, offset]) => [name, options.portBase + offset])
  say('starting RabbitMQ, ZooKeeper, orchestrator, workers, users-api, rides-api, lb')
  return startConvoy(
    {
      folder,
      software,
      cluster: config.CONVOY_CLUSTER,
      ports: Object.fromEntries(ports),
      replicas: options.replicas,
      orchestrators: options.orchestrators,
      fresh: options.fresh,
      token: config.CONVOY_TOKEN,
      settings: convoySettings(),
      postgresUser: config.CONVOY_POSTGRES_USER,
      readyMs: READY_MS,
      say
    },
    stopped
  )
}

/** A master counts as a copy. @throws UserError when no write could ever be acknowledged */
function checkReplicas(replicas: number, minCopies: number): void {
  if (replicas + 1 < minCopies) {
    throw new UserError(
      `--replicas must be at least ${minCopies - 1}: a write needs ${minCopies} copies (CONVOY_MIN_COPIES)`
    )
  }
  if (replicas + 1 > minCopies || minCopies === 1) return
  const whose = replicas === 1 ? 'its only replica' : 'any of its replicas'
  say(`--replicas ${replicas}: writes wait while the master or ${whose} is replaced`)
}

function banner({ run }: Convoy): string {
  const { lb, orchestrator, 'users-api': usersApi, 'rides-api': ridesApi } = run.addresses
  const [, ...others] = run.orchestrators
  const more = others.map(url => `\n                 ${url}/api/v1`).join('')
  const count = options.replicas
  const fixed = `${count} replica${count === 1 ? '' : 's'}`
  const replicas = count === undefined ? 'replicas as the load asks for' : fixed
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  const user = `{"username":"ada","password":"${'a'.repeat(40)}"}`
  return `
Convoy is ready (${seconds} s): one master, ${replicas}.

  ride pooling   ${lb}/api/v1          docs ${usersApi}/docs, ${ridesApi}/docs
  lb             ${lb}/                docs ${lb}/docs
  orchestrator   ${orchestrator}/api/v1          docs ${orchestrator}/docs${more}
  logs           ${run.logsDir}

A first request:

  curl -i -X PUT ${lb}/api/v1/users -H 'content-type: application/json' \\
    -d '${user}'

Ctrl-C stops everything; the data stays for the next start.
`
}
