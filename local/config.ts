/**
 * Settings of the starter. Whatever else is called CONVOY_ in its environment is
 * handed to the processes that it starts, so that any of their settings can be tried.
 */
import Type from 'typebox'
import { CERTIFICATE, COMMON, loadConfig } from '../platform/config.ts'
import { TOKENS } from '../platform/security/config.ts'

export const STARTER = {
  CONVOY_CLUSTER: COMMON.CONVOY_CLUSTER,
  CONVOY_LOG_LEVEL: COMMON.CONVOY_LOG_LEVEL,
  CONVOY_MIN_COPIES: Type.Integer({
    minimum: 1,
    maximum: 9,
    default: 2,
    description: "Workers that must have a write, as in the orchestrator's settings"
  }),
  ...TOKENS,
  CONVOY_POSTGRES_USER: Type.String({
    default: 'postgres',
    description: 'The system user that PostgreSQL runs as, when the starter is root'
  })
}

/** Where a running cluster is found. */
export const CLUSTER = {
  CONVOY_CLUSTER: COMMON.CONVOY_CLUSTER,
  CONVOY_ZOOKEEPER: COMMON.CONVOY_ZOOKEEPER,
  CONVOY_ZOOKEEPER_AUTH: COMMON.CONVOY_ZOOKEEPER_AUTH,
  CONVOY_ZOOKEEPER_TLS: COMMON.CONVOY_ZOOKEEPER_TLS,
  CONVOY_TLS_CA: COMMON.CONVOY_TLS_CA,
  ...CERTIFICATE
}

/** @param noted by the starter of a system; the environment wins */
export const loadClusterConfig = (noted: Readonly<Record<string, string>>) =>
  loadConfig(CLUSTER, { ...noted, ...convoySettings() })

export const loadStarterConfig = () => loadConfig(STARTER)

export function convoySettings(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const given = Object.entries(env).filter(([name]) => name.startsWith('CONVOY_'))
  return Object.fromEntries(given.flatMap(([name, value]) => (value ? [[name, value]] : [])))
}
