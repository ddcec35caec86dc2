/**
 * TLS, where certificates are given: a process shows its own to whoever connects to it, and to
 * RabbitMQ and ZooKeeper, and believes no server that its CA has not signed.
 */
import { readFileSync } from 'node:fs'
import { createSecureContext, setDefaultCACertificates } from 'node:tls'
import { ConfigError } from '../config.ts'

export interface CertificateConfig {
  readonly CONVOY_TLS_CERT?: string | undefined
  readonly CONVOY_TLS_KEY?: string | undefined
}

export interface TrustConfig extends CertificateConfig {
  readonly CONVOY_TLS_CA?: string | undefined
}

export interface Certificate {
  readonly cert: string
  readonly key: string
  readonly minVersion: 'TLSv1.2'
}

/**
 * For a listener; undefined where it is to take plain connections.
 * @throws ConfigError when it cannot be used
 */
export function certificateOf(config: CertificateConfig): Certificate | undefined {
  const { CONVOY_TLS_CERT: cert, CONVOY_TLS_KEY: key } = config
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined) {
    throw new ConfigError('bad environment:\n  CONVOY_TLS_CERT and CONVOY_TLS_KEY go together')
  }
  const certificate = { cert: text(cert), key: text(key), minVersion: 'TLSv1.2' } as const
  try {
    createSecureContext(certificate)
  } catch (cause) {
    throw new ConfigError(`bad environment:\n  ${cert} does not go with ${key}`, { cause })
  }
  return certificate
}

/** What this process shows to the servers of the cluster that it dials. */
let shown: { readonly cert: string; readonly key: string } | undefined

/**
 * From now on this process takes no certificate but those that this CA (or one of several
 * in the file) has signed, whichever client dials: RabbitMQ's, ZooKeeper's or one of HTTP.
 * Where it has a certificate of its own, it shows that to the first two.
 * @throws ConfigError when a file cannot be used
 */
export function trust(config: TrustConfig): void {
  const { CONVOY_TLS_CA: ca, CONVOY_TLS_CERT: cert, CONVOY_TLS_KEY: key } = config
  if (ca !== undefined) setDefaultCACertificates([text(ca)])
  if (cert !== undefined && key !== undefined) shown = { cert: text(cert), key: text(key) }
}

/** Options of a TLS connection to RabbitMQ or ZooKeeper; empty where there is no certificate. */
export const clientCertificate = (): { readonly cert?: string; readonly key?: string } =>
  shown ?? {}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new ConfigError(`bad environment:\n  ${file} cannot be read`, { cause })
  }
}
