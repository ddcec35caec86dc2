/**
 * What counts as a username, and the digest under which tables know it: an index
 * entry ends at 2,704 bytes, a name of 1,000 characters may be 4,000 bytes long.
 */
import { hash } from 'node:crypto'
import { InvalidUsernameError } from './errors.ts'

const CHARACTERS_MAX = 1_000

/** @throws InvalidUsernameError unless `name` can be a user's */
export function checkUsername(name: string): void {
  const reason = whyNoUsername(name)
  if (reason !== undefined) throw new InvalidUsernameError(reason)
}

export const isUsername = (name: string): boolean => whyNoUsername(name) === undefined

function whyNoUsername(name: string): string | undefined {
  // PostgreSQL's text holds no NUL, and UTF-8 no half of a surrogate pair: two
  // names that differ only there would become one.
  if (name.includes('\0')) return 'a username holds no character 0'
  if (!name.isWellFormed()) return 'a username holds no half of a surrogate pair'
  return hasGoodLength(name) ? undefined : 'a username has 1 to 1,000 characters'
}

function hasGoodLength(name: string): boolean {
  // Characters are code points; a string has at most two units for each.
  if (name.length <= CHARACTERS_MAX) return name !== ''
  return name.length <= 2 * CHARACTERS_MAX && [...name].length <= CHARACTERS_MAX
}

/** Case-sensitive, and not normalised: the same characters are the same name. */
export const usernameDigest = (name: string): string => hash('sha256', name, 'base64url')
