/**
 * Passwords that Convoy's processes show each other. Made once and kept with the
 * data: ZooKeeper's nodes and the workers' databases remember them.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'

export interface Secrets {
  readonly amqpPassword: string
  readonly zooKeeperPassword: string
  readonly clonePassword: string
  readonly storeSecret: string
}

const SECRET_BYTES = 18

export function keptSecrets(file: string): Secrets {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Secrets
  const secret = () => randomBytes(SECRET_BYTES).toString('base64url')
  const secrets: Secrets = {
    amqpPassword: secret(),
    zooKeeperPassword: secret(),
    clonePassword: secret(),
    storeSecret: secret()
  }
  // Renamed into place: a start that is killed here must not leave half a file.
  writeFileSync(`${file}.new`, JSON.stringify(secrets, null, 2), { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return secrets
}
