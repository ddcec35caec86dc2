/**
 * A whole Convoy on this machine, for `npm start` and for tests alike: starts all
 * processes at once (each waits for those it needs), and stops them in reverse.
 * Invariants:
 * - One system per folder: the folder's lock is the first thing taken, the last let go.
 * - What an earlier run left behind is ended before anything starts.
 * - `run.json` is there only while the system is ready.
 */
import { existsSync, readdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { claim } from '../platform/claim.ts'
import { trust } from '../platform/security/tls.ts'
import { makeCertificates } from './certificates.ts'
import type { Folder } from './folder.ts'
import type { Software } from './install/software.ts'
import { watchForOperator } from './operator.ts'
import { endLeftovers, endWorkers } from './processes/leftovers.ts'
import { Ports } from './processes/ports.ts'
import { type Surroundings, WatchedProcess } from './processes/watched.ts'
import {
  type Addresses,
  addressOf,
  compileOnce,
  type Instance,
  PROGRAMS,
  type Program,
  programSpec
} from './programs.ts'
import { UserError } from './script.ts'
import { keptSecrets, type Secrets } from './secrets.ts'
import { type ServiceAddresses, startServices } from './services.ts'
import { noteStarter } from './starter.ts'
import { type Shared, shareTokens } from './tokens.ts'

export interface ConvoyOptions {
  readonly folder: Folder
  readonly software: Software
  readonly cluster: string
  /** Wished for; a free one is taken where it is in use, or none is given. Further orchestrators follow the first. */
  readonly ports: Readonly<Partial<Record<Program, number>>>
  /** Fixed; where it is left out, as the scaling policy decides. */
  readonly replicas: number | undefined
  readonly orchestrators: number
  /** Whether all is said over TLS, with certificates that are made for this start. */
  readonly tls?: boolean
  /** Throws away all data first. */
  readonly fresh: boolean
  /** Further settings, tokens among them; those that are decided here win. */
  readonly settings: Readonly<Record<string, string>>
  readonly postgresUser: string
  readonly readyMs: number
  readonly say: (line: string) => void
  /** What Convoy's processes are given for the servers' own addresses: a test's proxies in front of them. */
  readonly through?: (direct: ServiceAddresses) => Promise<ServiceAddresses>
  /** More for the environment of each process that is started here, by its name. */
  readonly environmentOf?: (name: string) => Readonly<Record<string, string>>
  /** Further arguments of RabbitMQ's `erl`: a test's own. */
  readonly brokerArgs?: readonly string[]
}

/** `run.json`: all that a script needs to use the running system. */
export interface Run {
  readonly cluster: string
  readonly addresses: Addresses
  /** All of them, the first one first. */
  readonly orchestrators: readonly string[]
  /** Holds a token that may everything. */
  readonly tokenFile: string | null
  /** Signed the certificates; null where plain connections are taken. */
  readonly caFile: string | null
  /** Settings (CONVOY_AMQP_URL, CONVOY_ZOOKEEPER_AUTH, ...) of a process that joins in; mode 600. */
  readonly settingsFile: string
  readonly zookeeper: string
  readonly workersDir: string
  readonly logsDir: string
  readonly starterPid: number
  readonly pids: Readonly<Record<string, number>>
}

export interface Convoy {
  readonly run: Run
  readonly services: ServiceAddresses
  /** May everything; undefined where none is asked for. */
  readonly token: string | undefined
  /** As an accident would; the process is started again. */
  kill(name: string, signal: NodeJS.Signals): void
  ready(): Promise<void>
  /** Within 10 s; then nothing of it runs. Data stays. */
  stop(): Promise<void>
}

export class AlreadyRunningError extends UserError {
  override readonly name = 'AlreadyRunningError'
}

/** All data, secrets and logs. @throws AlreadyRunningError when a system runs in this folder */
export async function removeConvoy(folder: Folder): Promise<void> {
  await using _lock = await holdFolder(folder)
  await endLeftovers(folder)
  folder.remove()
}

/**
 * What an earlier run left. @returns how many processes were ended
 * @throws AlreadyRunningError when a system runs in this folder
 */
export async function endLeftoversOf(folder: Folder): Promise<number> {
  await using _lock = await holdFolder(folder)
  return await endLeftovers(folder)
}

/**
 * @returns when all is ready
 * @throws AlreadyRunningError when a system runs in this folder
 * @throws NotReadyError when it is not ready in time; everything is stopped then
 */
export async function startConvoy(options: ConvoyOptions, stopped?: AbortSignal): Promise<Convoy> {
  await using opened = new AsyncDisposableStack()
  const { folder, say } = options
  opened.use(await holdFolder(folder))
  rmSync(folder.runFile, { force: true })
  const ended = await endLeftovers(folder)
  if (ended > 0) say(`ended ${ended} processes that an earlier run had left`)
  if (options.fresh) folder.empty()
  opened.use(noteStarter(folder.root))

  const parts = await startAll(options, opened)
  const ready = async () => {
    await Promise.all(parts.processes.map(watched => watched.untilReady(options.readyMs)))
  }
  await Promise.race([shown(parts, options), whenStopped(stopped)])
  const showRun = () => writeRun(folder, parts)
  showRun()
  for (const watched of parts.processes) watched.onStart(showRun)
  opened.defer(() => rmSync(folder.runFile, { force: true }))

  const owned = opened.move()
  return {
    run: runOf(folder, parts),
    services: parts.services,
    token: parts.token,
    ready,
    kill(name, signal) {
      for (const watched of parts.processes) if (watched.spec.name === name) watched.kill(signal)
    },
    stop: () => owned.disposeAsync()
  }
}

interface Parts {
  readonly services: ServiceAddresses
  readonly addresses: Addresses
  readonly orchestrators: readonly string[]
  readonly token: string | undefined
  readonly tokenFile: string | null
  readonly processes: readonly WatchedProcess[]
}

async function startAll(options: ConvoyOptions, opened: AsyncDisposableStack): Promise<Parts> {
  const { folder, cluster, software, say } = options
  const tokens = shareTokens(options.settings)
  const ports = opened.use(new Ports())
  const remembers = hasData(folder.workers) || existsSync(join(folder.zooKeeper, 'data'))
  if (remembers && !existsSync(folder.secretsFile)) {
    throw new UserError(
      `${folder.root} has data, and its passwords are lost: ${folder.secretsFile} is missing.\n` +
        'Put it back, or begin empty with `npm start -- --fresh`.'
    )
  }
  const secrets = keptSecrets(folder.secretsFile)
  const around: Surroundings = {
    logsDir: folder.logs,
    pidsDir: folder.pids,
    cwd: folder.root,
    say,
    environmentOf: options.environmentOf
  }
  const certificates = options.tls ? makeCertificates(folder.tls) : undefined
  const { CONVOY_TLS_CA, CONVOY_TLS_CERT, CONVOY_TLS_KEY } = options.settings
  trust({
    CONVOY_TLS_CA: certificates?.ca ?? CONVOY_TLS_CA,
    CONVOY_TLS_CERT: certificates?.cert ?? CONVOY_TLS_CERT,
    CONVOY_TLS_KEY: certificates?.key ?? CONVOY_TLS_KEY
  })
  const { brokerArgs = [] } = options
  const secured = { cluster, software, folder, secrets, ports, around, certificates, brokerArgs }
  const services = await startServices(secured)
  opened.defer(() => stopAll(services.processes))
  await compileOnce() // while RabbitMQ starts
  const given = (await options.through?.(services.addresses)) ?? services.addresses
  const instances = await takePorts(ports, options)
  const { addresses, orchestrators } = addressesOf(instances, { ...tokens.rest, ...given })
  const known = { options, secrets, tokens, lb: addresses.lb, services: given }
  const programs = new Map(
    instances.map(instance => {
      const spec = programSpec(instance, settingsOf(instance, known))
      return [instance.name, new WatchedProcess(spec, around)] as const
    })
  )
  const stop = (is: (instance: Instance) => boolean) =>
    stopAll(instances.filter(is).flatMap(({ name }) => programs.get(name) ?? []))
  opened.defer(async () => {
    await stop(isFirstOrchestrator)
    await endWorkers(folder.workers, 0) // Those that it did not stop in its time, or could not.
  })
  // The workers are stopped with the last orchestrator.
  opened.defer(() => stop(one => one.program !== 'lb' && !isFirstOrchestrator(one)))
  opened.defer(() => stop(({ program }) => program === 'lb'))
  writeSecretly(join(folder.root, 'settings.json'), JSON.stringify(given, null, 2))
  const tokenFile = tokens.operator === undefined ? null : join(folder.root, 'token')
  if (tokenFile !== null) writeSecretly(tokenFile, tokens.operator ?? '')
  const processes = [...services.processes, ...programs.values()]
  const { operator: token } = tokens
  return { services: given, addresses, orchestrators, token, tokenFile, processes }
}

/**
 * Two starters in one folder would share data. The kernel ends a claim with its holder.
 * @throws AlreadyRunningError when a system runs in this folder
 */
export async function holdFolder(folder: Folder): Promise<AsyncDisposable> {
  const claimed = await claim(`folder${realpathSync(folder.root)}`)
  if (claimed) return claimed
  throw new AlreadyRunningError(`Convoy runs already in ${folder.root}`)
}

/** Of each program one, of the orchestrator as many as wanted. */
async function takePorts(ports: Ports, options: ConvoyOptions): Promise<Instance[]> {
  const instances: Instance[] = []
  const take = async (name: string, program: Program, wished: number | undefined) => {
    const port = await ports.take(wished)
    if (wished !== undefined && port !== wished) {
      options.say(`port ${wished} is in use: ${name} listens on ${port}`)
    }
    instances.push({ name, program, port })
  }
  for (const program of PROGRAMS) await take(program, program, options.ports[program])
  const first = options.ports.orchestrator
  for (let n = 2; n <= options.orchestrators; n++) {
    const wished = first === undefined ? undefined : first + n - 1
    await take(`orchestrator-${n}`, 'orchestrator', wished)
  }
  return instances
}

const isFirstOrchestrator = ({ name }: Instance): boolean => name === 'orchestrator'

function addressesOf(instances: readonly Instance[], settings: Readonly<Record<string, string>>) {
  const all = instances.map(one => ({ ...one, url: addressOf(one, settings) }))
  const first = all.filter(one => one.name === one.program).map(one => [one.name, one.url])
  const orchestrators = all.filter(({ program }) => program === 'orchestrator')
  return {
    addresses: Object.fromEntries(first) as Record<Program, string>,
    orchestrators: orchestrators.map(({ url }) => url)
  }
}

function settingsOf(
  instance: Instance,
  known: {
    options: ConvoyOptions
    secrets: Secrets
    tokens: Shared
    lb: string
    services: ServiceAddresses
  }
): Record<string, string> {
  const { program } = instance
  const { options, secrets, tokens, lb, services } = known
  const common = { ...tokens.rest, ...services }
  if (program === 'lb') return common
  if (program !== 'orchestrator') {
    return {
      ...common,
      ...tokens.service,
      CONVOY_ALLOW_CLEAR: 'true',
      CONVOY_LB_URL: lb
    }
  }
  return {
    ...common,
    ...tokens.orchestrator,
    CONVOY_WORKERS_DIR: options.folder.workers,
    CONVOY_LOGS_DIR: options.folder.logs,
    ...(options.replicas === undefined ? {} : { CONVOY_REPLICAS: String(options.replicas) }),
    CONVOY_INIT: String(isFirstOrchestrator(instance) && !hasData(options.folder.workers)),
    CONVOY_ZOOKEEPER_OWN: 'true',
    CONVOY_STOP_WORKERS: 'true',
    CONVOY_POSTGRES_BIN: options.software.postgresBin,
    CONVOY_POSTGRES_USER: options.postgresUser,
    CONVOY_CLONE_PASSWORD: secrets.clonePassword,
    CONVOY_STORE_SECRET: secrets.storeSecret
  }
}

/** A cluster is made once: never over workers that have data. */
export const hasData = (workersDir: string): boolean =>
  readdirSync(workersDir).some(name => existsSync(join(workersDir, name, 'worker.json')))

/** Resolves when all are ready, telling of each. What waits for an operator may take its time. */
async function shown(
  { processes, addresses, token }: Parts,
  options: ConvoyOptions
): Promise<void> {
  const startedAt = performance.now()
  const url = addresses.orchestrator
  using operator = watchForOperator({ url, token, say: options.say })
  await Promise.all(
    processes.map(async watched => {
      await watched.untilReady(options.readyMs, () => operator.needed)
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
      options.say(`${watched.spec.name} is ready (${seconds} s)`)
    })
  )
}

function whenStopped(stopped: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = () => reject(stopped?.reason)
    if (stopped?.aborted) stop()
    else stopped?.addEventListener('abort', stop, { once: true })
  })
}

async function stopAll(processes: readonly WatchedProcess[]): Promise<void> {
  await Promise.all(processes.map(watched => watched.stop()))
}

function runOf(folder: Folder, parts: Parts): Run {
  return {
    cluster: parts.services.CONVOY_CLUSTER,
    addresses: parts.addresses,
    orchestrators: parts.orchestrators,
    caFile: parts.services.CONVOY_TLS_CA ?? null,
    tokenFile: parts.tokenFile,
    settingsFile: join(folder.root, 'settings.json'),
    zookeeper: parts.services.CONVOY_ZOOKEEPER,
    workersDir: folder.workers,
    logsDir: folder.logs,
    starterPid: process.pid,
    pids: Object.fromEntries(
      parts.processes.flatMap(({ spec, pid }) => (pid === undefined ? [] : [[spec.name, pid]]))
    )
  }
}

/** Renamed into place: a script that polls for it never reads half of it. */
function writeRun(folder: Folder, parts: Parts): void {
  writeFileSync(`${folder.runFile}.new`, `${JSON.stringify(runOf(folder, parts), null, 2)}\n`)
  renameSync(`${folder.runFile}.new`, folder.runFile)
}

function writeSecretly(file: string, text: string): void {
  rmSync(file, { force: true }) // The mode below is that of a new file only.
  writeFileSync(file, `${text}\n`, { mode: 0o600 })
}
