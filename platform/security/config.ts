/**
 * Settings about who may do what, of the processes that ask for tokens.
 */
import Type from 'typebox'

const token = (description: string) => Type.Optional(Type.String({ minLength: 1, description }))

export const TOKENS = {
  CONVOY_TOKEN: token(
    'Asked for as a bearer token, when given; may everything. Alone, it leaves open what may be seen of the cluster'
  ),
  CONVOY_TOKEN_READ: token('A token that may read, and see the cluster'),
  CONVOY_TOKEN_WRITE: token('A token that may write, and what one that reads may'),
  CONVOY_TOKEN_ADMIN: token('A token that may everything'),
  CONVOY_TOKENS_FILE: token(
    'A file that is closed to others, with lines `role name token`, as many of a role as wanted'
  )
}

/** Settings that hold tokens, or lead to them. */
export const OF_TOKENS: ReadonlySet<string> = new Set(Object.keys(TOKENS))
