/**
 * A private CA, and the one certificate of a system on this machine, made with openssl at each
 * start. Servers show it to clients, and clients to RabbitMQ and ZooKeeper. The key of the CA is
 * gone when it has signed: nobody can make another.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { SYSTEM_PATH } from './install/software.ts'

/** Paths of PEM files; the key's mode is 600. */
export interface Certificates {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

const DAYS = '365'
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

export function makeCertificates(dir: string): Certificates {
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const names = `DNS:localhost,DNS:${hostname()},IP:127.0.0.1,IP:::1`
  openssl(dir, [
    ...['req', '-x509', ...NEW_KEY, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', DAYS],
    ...['-subj', '/CN=Convoy CA of this start', '-addext', 'keyUsage=critical,keyCertSign']
  ])
  openssl(dir, ['req', ...NEW_KEY, '-keyout', 'key.pem', '-out', 'request', '-subj', '/CN=Convoy'])
  writeFileSync(
    join(dir, 'extensions'),
    `subjectAltName=${names}\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n`
  )
  openssl(dir, [
    ...['x509', '-req', '-in', 'request', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-days', DAYS],
    ...['-set_serial', '1', '-extfile', 'extensions', '-out', 'cert.pem']
  ])
  for (const name of ['ca.key', 'request', 'extensions']) rmSync(join(dir, name))
  for (const name of ['ca.pem', 'cert.pem', 'key.pem']) chmodSync(join(dir, name), 0o600)
  return { ca: join(dir, 'ca.pem'), cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem') }
}

export const keyAndCertificateOf = ({ key, cert }: Certificates) => ({
  key: readFileSync(key, 'utf8'),
  cert: readFileSync(cert, 'utf8')
})

/** In one file: ZooKeeper reads them so. */
export function keyAndCertificate(certificates: Certificates): string {
  const { key, cert } = keyAndCertificateOf(certificates)
  return key + cert
}

function openssl(dir: string, args: readonly string[]): void {
  execFileSync('openssl', args, { cwd: dir, env: { PATH: SYSTEM_PATH }, stdio: 'pipe' })
}
