/**
 * docs/configuration.md, made of the schemas that check the settings: what it says of a
 * name, a default or a range is what the processes go by.
 */
import { homedir } from 'node:os'
import Type, { type TProperties, type TSchema } from 'typebox'
import { COMPOSE } from '../../compose/config.ts'
import { LB } from '../../lb/config.ts'
import { CLUSTER, STARTER } from '../../local/config.ts'
import { ORCHESTRATOR } from '../../orchestrator/config.ts'
import { RUNTIME } from '../../orchestrator/runtimes/settings.ts'
import { SCALING_ENVIRONMENT } from '../../orchestrator/scaling/start.ts'
import { COMMON, HTTP, TRACING } from '../../platform/config.ts'
import { SERVICE } from '../../platform/service/config.ts'
import { RIDES } from '../../rides-api/config.ts'
import { USERS } from '../../users-api/config.ts'
import { WORKER } from '../../workers/config.ts'
import { COMMAND } from '../config.ts'

interface Section {
  readonly title: string
  readonly about: string
  readonly settings: TProperties
  /** Told of in sections of their own. */
  readonly without?: readonly TProperties[]
}

export const SECTIONS: readonly Section[] = [
  {
    title: 'Every process',
    about: 'lb, users-api, rides-api, orchestrators and workers.',
    settings: COMMON,
    without: [TRACING]
  },
  {
    title: 'Traces',
    about: 'Every process takes these too: see [metrics, logs and traces](metrics.md).',
    settings: TRACING
  },
  {
    title: 'Processes that answer HTTP',
    about: 'lb, users-api, rides-api and orchestrators.',
    settings: HTTP
  },
  { title: 'lb', about: '', settings: LB, without: [COMMON, HTTP] },
  {
    title: 'users-api and rides-api',
    about: '',
    settings: SERVICE,
    without: [COMMON, HTTP]
  },
  { title: 'users-api', about: '', settings: USERS, without: [SERVICE] },
  { title: 'rides-api', about: '', settings: RIDES, without: [SERVICE] },
  {
    title: 'Orchestrator',
    about: 'What it does not need itself it hands on to the workers that it starts.',
    settings: ORCHESTRATOR,
    without: [COMMON, HTTP, RUNTIME, SCALING_ENVIRONMENT]
  },
  {
    title: 'Orchestrator: scaling',
    about: 'They hold until an operator changes them on the running cluster.',
    settings: SCALING_ENVIRONMENT
  },
  { title: 'Orchestrator: where workers run', about: '', settings: RUNTIME },
  { title: 'Worker', about: '', settings: WORKER, without: [COMMON] },
  {
    title: '`npm start` and `convoy up`',
    about: 'Every other `CONVOY_` variable is handed to the processes that they start.',
    settings: STARTER
  },
  {
    title: '`convoy` without a system of its own',
    about: 'Where a running cluster is found, for `init` and `recover`.',
    settings: CLUSTER
  },
  { title: '`convoy`', about: '', settings: COMMAND },
  { title: 'Compose stack', about: 'The scripts `compose:up` and the like.', settings: COMPOSE }
]

const HEAD = `# Configuration

Every process reads its settings from environment variables, once, at start, and stops with
all that is wrong or missing when something is. What can be changed on a running cluster is
in [controls](controls.md). Milliseconds, seconds, bytes and MiB are in the names.

<!-- Written by \`npm run docs:configuration\` from the schemas in the config.ts files. -->
`

export const configurationPage = (): string => [HEAD, ...SECTIONS.map(textOf)].join('\n')

function textOf({ title, about, settings, without = [] }: Section): string {
  const elsewhere = new Set(without.flatMap(group => Object.keys(group)))
  const { required = [] } = Type.Object(settings)
  const rows = Object.entries(settings)
    .filter(([name]) => !elsewhere.has(name))
    .map(([name, schema]) => rowOf(name, schema, (required as readonly string[]).includes(name)))
  const head = '| setting | type | default | range | meaning |\n|---|---|---|---|---|'
  return [`## ${title}\n`, ...(about === '' ? [] : [`${about}\n`]), head, ...rows, ''].join('\n')
}

/** What the schemas of settings may say. */
interface Said {
  readonly type?: string
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly pattern?: string
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly { readonly const?: unknown }[]
  readonly description?: string
}

function rowOf(name: string, schema: TSchema, required: boolean): string {
  const said = schema as Said
  const missing = said.default === undefined
  const unset = required ? 'must be set' : 'none'
  const cells = [
    `\`${name}\``,
    choicesOf(said) === undefined ? (said.type ?? '') : 'word',
    missing ? unset : `\`${shown(said.default)}\``,
    rangeOf(said),
    said.description ?? ''
  ]
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

const choicesOf = ({ enum: words, anyOf }: Said) => words ?? anyOf?.map(one => one.const)

function rangeOf(said: Said): string {
  const choices = choicesOf(said)
  if (choices !== undefined) return choices.map(word => `\`${word}\``).join(', ')
  const { minimum, maximum, minLength = 0, pattern } = said
  if (pattern !== undefined) return `\`${pattern}\``
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`
  if (minimum !== undefined) return `from ${minimum}`
  return minLength > 1 ? `from ${minLength} characters` : ''
}

/** A default may be a place in the home of whoever asks. */
const shown = (value: unknown) => String(value).replace(homedir(), '~')
