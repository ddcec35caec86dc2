/**
 * Reads a process's settings once, at start, by one schema that gives the check,
 * the type and the default. Every problem is reported at once, by name; values
 * are never printed, for some of them are secrets. Only files called `config.ts`
 * read the environment.
 */
import Type, { type Static, type TObject, type TProperties } from 'typebox'
import Value from 'typebox/value'

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** Where the spans of requests go, for every Convoy process. */
export const TRACING = {
  CONVOY_OTLP_URL: Type.Optional(
    Type.String({
      pattern: '^https?://',
      description:
        'A collector of traces that takes OTLP over HTTP, without `/v1/traces`; without one no spans are made'
    })
  ),
  CONVOY_TRACE_RATIO: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 1,
    description:
      'Part of the requests that are traced; a caller that sends `traceparent` decides itself'
  })
}

const file = (description: string) => Type.Optional(Type.String({ minLength: 1, description }))

/** What a process that others connect to shows them. */
export const CERTIFICATE = {
  CONVOY_TLS_CERT: file('A file (PEM) with the certificate to show; with it, only TLS is taken'),
  CONVOY_TLS_KEY: file('A file (PEM) with its key')
}

/** Settings that every Convoy process takes. */
export const COMMON = {
  CONVOY_CLUSTER: Type.String({
    pattern: '^[a-z0-9-]{1,40}$',
    default: 'main',
    description: 'Name of the cluster: its RabbitMQ vhost and its place in ZooKeeper'
  }),
  CONVOY_AMQP_URL: Type.String({
    pattern: '^amqps?://',
    description: 'RabbitMQ, with user, password and vhost'
  }),
  CONVOY_ZOOKEEPER: Type.String({
    minLength: 3,
    description: 'ZooKeeper servers, as host:port, comma separated'
  }),
  CONVOY_ZOOKEEPER_AUTH: Type.String({
    pattern: '^[^:]+:.+$',
    description: "user:password for ZooKeeper's digest scheme"
  }),
  CONVOY_ZOOKEEPER_TLS: Type.Boolean({
    default: false,
    description: 'Whether ZooKeeper is reached over TLS (RabbitMQ: by the scheme amqps)'
  }),
  CONVOY_TLS_CA: file(
    'A file (PEM) with the CAs whose certificates are believed, and no others, of servers and workers'
  ),
  CONVOY_SESSION_TIMEOUT_MS: Type.Integer({
    minimum: 400,
    maximum: 60_000,
    default: 2_000,
    description: 'Silence after which ZooKeeper takes a process for dead'
  }),
  CONVOY_LOG_LEVEL: Type.Enum([...LOG_LEVELS], {
    default: 'info',
    description: 'Lines of this level and above are logged'
  }),
  ...TRACING
}

/** Settings of the processes that answer HTTP. Port 0 takes a free one. */
export const HTTP = {
  ...CERTIFICATE,
  CONVOY_HTTP_HOST: Type.String({ default: '127.0.0.1', description: 'Address to listen at' }),
  CONVOY_HTTP_PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 0,
    description: 'Port to listen at; 0 takes a free one'
  })
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * @returns the checked settings, frozen, of the variables in `properties` alone
 * @throws ConfigError naming every variable that is missing or wrong
 */
export function loadConfig<P extends TProperties>(
  properties: P,
  env: NodeJS.ProcessEnv = process.env
): Readonly<Static<TObject<P>>> {
  const schema = Type.Object(properties)
  const known = Value.Default(schema, Value.Clean(schema, { ...env }))
  const config = Value.Convert(schema, known)
  if (!Value.Check(schema, config)) {
    const problems = Value.Errors(schema, config).map(p => `${p.instancePath} ${p.message}`)
    throw new ConfigError(['bad environment:', ...problems].join('\n  '))
  }
  return Object.freeze(config) as Readonly<Static<TObject<P>>>
}
