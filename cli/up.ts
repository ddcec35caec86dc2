/**
 * `npm start`: a whole Convoy on this machine, from nothing to a banner, until
 * Ctrl-C. Nothing on the machine is touched but Debian packages that are missing.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import yargs from 'yargs'
import { convoySettings, loadStarterConfig } from './config.ts'
import { CannotInstallError, ensureSoftware } from './machine/install.ts'
import { AlreadyRunningError, type Convoy, startConvoy } from './system/convoy.ts'
import { dataFolderOf, openFolder } from './system/folder.ts'

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url))
const READY_MS = 120_000
/** npm, the shell and the terminal may each deliver the same Ctrl-C. */
const SAME_SIGNAL_MS = 1_000
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
  .option('replicas', {
    type: 'number',
    default: 2,
    describe: 'Workers beside the master, each with a PostgreSQL of its own'
  })
  .option('port-base', {
    type: 'number',
    default: 8080,
    describe: 'lb listens here, users-api, rides-api and the orchestrator 1, 2 and 10 above'
  })
  .check(({ replicas, 'port-base': portBase }) => {
    if (!Number.isInteger(replicas) || replicas < 0 || replicas > 50) {
      throw new Error('--replicas is a number from 0 to 50')
    }
    if (!Number.isInteger(portBase) || portBase < 1_024 || portBase > 60_000) {
      throw new Error('--port-base is a number from 1024 to 60000')
    }
    return true
  })
  .example('npm start', 'start, with the users and rides of the last time')
  .example('npm start -- --fresh --replicas 4', 'an empty cluster of five workers')
  .example('npm start -- --port-base 9000', 'http://127.0.0.1:9000')
  .epilogue('Everything lies in .convoy/: logs, data, and run.json with addresses for scripts.')
  .strict()
  .parseAsync()

// Whoever read our lines may be gone (`npm start | head`); stopping in order must go on.
process.stdout.on('error', () => {})

const stopRequest = new AbortController()
let askedAt = 0
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    const again = stopRequest.signal.aborted && performance.now() - askedAt > SAME_SIGNAL_MS
    if (again) process.exit(1) // Whoever repeats it means it; the kernel ends the children.
    if (stopRequest.signal.aborted) return
    askedAt = performance.now()
    say(`${name}: stopping`)
    stopRequest.abort(new Error(`stopped by ${name}`))
  })
}

try {
  const convoy = await start()
  console.log(banner(convoy))
  await new Promise<void>(resolve => {
    if (stopRequest.signal.aborted) resolve()
    stopRequest.signal.addEventListener('abort', () => resolve(), { once: true })
  })
  await convoy.stop()
  say('stopped; nothing is left running')
  process.exit(0)
} catch (err) {
  if (stopRequest.signal.aborted) {
    say('stopped; nothing is left running')
    process.exit(0)
  }
  const known = err instanceof CannotInstallError || err instanceof AlreadyRunningError
  console.error(known ? err.message : err)
  process.exit(1)
}

async function start(): Promise<Convoy> {
  const config = loadStarterConfig()
  const software = ensureSoftware(say)
  const root = join(CHECKOUT, '.convoy')
  const folder = openFolder(root, dataFolderOf(CHECKOUT))
  const ports = Object.entries(PORTS).map(([name, offset]) => [name, options.portBase + offset])
  say('starting RabbitMQ, ZooKeeper, orchestrator, workers, users-api, rides-api, lb')
  return startConvoy(
    {
      folder,
      software,
      cluster: config.CONVOY_CLUSTER,
      ports: Object.fromEntries(ports),
      replicas: options.replicas,
      fresh: options.fresh,
      token: config.CONVOY_TOKEN,
      settings: convoySettings(),
      postgresUser: config.CONVOY_POSTGRES_USER,
      readyMs: READY_MS,
      say
    },
    stopRequest.signal
  )
}

function banner({ run }: Convoy): string {
  const { lb, orchestrator } = run.addresses
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  const user = `{"username":"ada","password":"${'a'.repeat(40)}"}`
  return `
Convoy is ready (${seconds} s): one master, ${options.replicas} replicas.

  ride pooling   ${lb}/api/v1          docs ${run.addresses['users-api']}/docs, ${run.addresses['rides-api']}/docs
  orchestrator   ${orchestrator}/api/v1          docs ${orchestrator}/docs
  logs           ${run.logsDir}

A first request:

  curl -i -X PUT ${lb}/api/v1/users -H 'content-type: application/json' \\
    -d '${user}'

Ctrl-C stops everything; the data stays for the next start.
`
}
