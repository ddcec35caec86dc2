/**
 * What the API descriptions of all servers have in common: refusals by status, each
 * with the one error body, and headers.
 */
import Type from 'typebox'
import { ErrorReply } from './replies.ts'

const REFUSALS = {
  400: 'The request is wrong, or the database refuses it: see `code`',
  401: 'The bearer token is missing or wrong',
  403: 'The token may not do this, or it is switched off here: see `code`',
  404: 'There is no such thing',
  409: 'It cannot be done in the present state: see `code`',
  413: 'Too large: see `code`',
  415: 'The body is not JSON',
  422: 'The idempotency key belongs to another request',
  500: 'A bug; the log has it under the `x-request-id` of the answer',
  501: 'Not built yet',
  503: 'Nothing was done; try again after `Retry-After` seconds',
  504: 'No answer in time; see `code` for whether it may be done'
} as const

/** For a route's `response`: how it refuses. Every code is described in docs/errors.md. */
export function refusals<Status extends keyof typeof REFUSALS>(...statuses: Status[]) {
  const replies = statuses.map(status => [
    status,
    Type.Object(ErrorReply.properties, {
      description: REFUSALS[status],
      additionalProperties: true,
      examples: [{ code: 'CONVOY_...', message: 'what is wrong, in words' }]
    })
  ])
  return Object.fromEntries(replies) as Record<Status, typeof ErrorReply>
}

/** For a route's `headers`. Its form is checked where it is used. */
export const IdempotencyKey = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      description:
        'Visible ASCII characters; the same call again with the same key is done once and ' +
        'gets the same answer'
    })
  )
})

/** For the `headers` of a reply. */
export const IndexHeader = {
  'Convoy-Index': { type: 'integer', description: 'The log index that the answer is based on' }
}
