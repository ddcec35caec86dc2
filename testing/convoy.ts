/**
 * What the contract's tests ask of the system they run against, and how they talk to
 * it: as any client would, over HTTP.
 */
import { randomBytes } from 'node:crypto'
import { request } from 'undici'

/** Addresses, such as `http://127.0.0.1:8080`. */
export interface Convoy {
  readonly lb: string
  /** Of all instances. */
  readonly usersApi: readonly string[]
  readonly ridesApi: readonly string[]
  /** Of an admin, where tokens are in use. */
  readonly token?: string
}

export interface Answer {
  readonly status: number
  /** Parsed JSON; undefined when there was no body. */
  readonly body: unknown
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

export interface Extra {
  readonly body?: unknown
  /** Sent as it is, instead of `body`. */
  readonly text?: string
  readonly headers?: Record<string, string>
}

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH'

const TIMEOUT_MS = 20_000

/** @param target `GET http://127.0.0.1:8080/api/v1/users` */
export async function call(target: `${Method} ${string}`, extra: Extra = {}): Promise<Answer> {
  const [method, url] = target.split(' ', 2) as [Method, string]
  const text = extra.text ?? (extra.body === undefined ? undefined : JSON.stringify(extra.body))
  const type = text === undefined ? {} : { 'content-type': 'application/json' }
  const response = await request(url, {
    method,
    headers: { ...type, ...extra.headers },
    body: text ?? null,
    signal: AbortSignal.timeout(TIMEOUT_MS)
  })
  const answer = await response.body.text()
  return {
    status: response.statusCode,
    body: answer === '' ? undefined : JSON.parse(answer),
    headers: response.headers
  }
}

export const PASSWORD = 'a94a8fe5ccb19ba61c4c0873d391e987982fbbd3'

/** A name that no other test uses. */
export const newName = (prefix = 'user') => `${prefix}-${randomBytes(6).toString('hex')}`

/** Signs up a new user. @returns the name */
export async function newUser({ lb }: Convoy): Promise<string> {
  const username = newName()
  const body = { username, password: PASSWORD }
  const { status } = await call(`PUT ${lb}/api/v1/users`, { body })
  if (status !== 201) throw new Error(`sign-up answered ${status}`)
  return username
}

export interface RideFields {
  readonly created_by: string
  readonly timestamp?: string
  readonly source?: number | string
  readonly destination?: number | string
}

/** Offers a ride, far in the future unless told. @returns its id */
export async function newRide({ lb }: Convoy, fields: RideFields): Promise<number> {
  const body = { timestamp: '01-02-2090:03-04-05', source: 1, destination: 2, ...fields }
  const { status, headers } = await call(`POST ${lb}/api/v1/rides`, { body })
  if (status !== 201) throw new Error(`offering a ride answered ${status}`)
  return Number(String(headers['location']).split('/').at(-1))
}

/** The code of an error's body. */
export const codeOf = ({ body }: Answer) => (body as { code?: unknown } | undefined)?.code
