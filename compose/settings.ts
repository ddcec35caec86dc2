/**
 * The settings file of one stack: generated secrets, and what an operator may change. The
 * volumes remember the secrets, so a file is made once and kept; it is for its owner's eyes
 * only (mode 600), and a shell can read it too (`. .convoy/compose/main.env`).
 */
import { hash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type Settings = Readonly<Record<string, string>>

const FOLDER = fileURLToPath(new URL('../.convoy/compose', import.meta.url))
const SECRET_BYTES = 18
const SECRETS = [
  'CONVOY_TOKEN',
  'CONVOY_AMQP_PASSWORD',
  'CONVOY_ZOOKEEPER_PASSWORD',
  'CONVOY_CLONE_PASSWORD',
  'CONVOY_STORE_SECRET'
]

const DEFAULTS: Settings = {
  CONVOY_TAG: 'latest',
  /** Where lb and the admin ports listen on this machine. */
  CONVOY_PUBLISH: '127.0.0.1',
  CONVOY_LB_PORT: '8080',
  CONVOY_ADMIN_PORT: '8090',
  CONVOY_ADMIN_PORT_2: '8091',
  CONVOY_REPLICAS_MIN: '2',
  CONVOY_REPLICAS_MAX: '0',
  CONVOY_SCALE_POLICY: 'load',
  CONVOY_DOCKER_MEMORY_MIB: '1024',
  CONVOY_DOCKER_CPUS: '2',
  CONVOY_ALLOW_CLEAR: 'false',
  CONVOY_LOG_LEVEL: 'info'
}

/** What compose.yaml passes on; the cluster and the engine's socket are found out at each start. */
export const SETTABLE: readonly string[] = [...SECRETS, ...Object.keys(DEFAULTS)]

export const settingsFileOf = (cluster: string): string => join(FOLDER, `${cluster}.env`)

/**
 * @param texts NAME=VALUE
 * @returns what is wrong with them; undefined when all can be kept
 */
export function refusalOf(texts: readonly string[]): string | undefined {
  if (!texts.every(text => /^CONVOY_\w+=.*$/.test(text))) return '--set CONVOY_NAME=VALUE'
  const names = texts.map(text => text.slice(0, text.indexOf('=')))
  const unknown = names.filter(name => !SETTABLE.includes(name))
  if (unknown.length === 0) return undefined
  const known = SETTABLE.toSorted().join('\n  ')
  return `--set cannot change ${unknown.join(', ')}; it takes\n  ${known}`
}

/** @param given replaces what the file says, and stays there */
export function keepSettings(file: string, given: Settings): Settings {
  const secrets = SECRETS.map(name => [name, randomBytes(SECRET_BYTES).toString('base64url')])
  const chosen = { ...Object.fromEntries(secrets), ...DEFAULTS, ...readSettings(file), ...given }
  const settings = { ...chosen, ...derivedFrom(chosen) }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}.new`, lines.join(''), { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return settings
}

/** The services know by its digest who may call `db/clear`: they are not given an admin's token. */
function derivedFrom({ CONVOY_TOKEN: token = '' }: Settings): Settings {
  return { CONVOY_CLEAR_TOKEN_DIGESTS: hash('sha256', token) }
}

/** Empty when there is no such file. */
export function readSettings(file: string): Settings {
  if (!existsSync(file)) return {}
  const lines = readFileSync(file, 'utf8').split('\n')
  const pairs = lines.flatMap(line => {
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? []
    return name === undefined || value === undefined ? [] : [[name, value]]
  })
  return Object.fromEntries(pairs)
}
