/**
 * Certificates for an engine that is reached over TCP, and for those who may use it: one
 * authority, one key for both sides, for 127.0.0.1. Made by openssl, good for a day.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Writes ca.pem, cert.pem and key.pem into `dir`. */
export function makeCertificates(dir: string): void {
  const file = (name: string) => join(dir, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' })
  const newKey = ['req', '-newkey', 'rsa:2048', '-nodes', '-days', '1']
  const authority = ['-x509', '-subj', '/CN=test authority', '-out', file('ca.pem')]
  openssl(...newKey, ...authority, '-keyout', file('ca-key.pem'))
  const asked = ['-subj', '/CN=test', '-keyout', file('key.pem'), '-out', file('asked.pem')]
  openssl(...newKey, ...asked)
  const uses = 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n'
  writeFileSync(file('uses'), uses)
  const by = ['-CA', file('ca.pem'), '-CAkey', file('ca-key.pem'), '-CAcreateserial']
  const signed = ['-in', file('asked.pem'), '-out', file('cert.pem'), '-extfile', file('uses')]
  openssl('x509', '-req', '-days', '1', ...by, ...signed)
}
