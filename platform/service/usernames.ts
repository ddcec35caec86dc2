/**
 * What counts as a username, and the digest under which tables know it: an index
 * entry ends at 2,704 bytes, a name of 1,000 characters may be 4,000 bytes long.
 */
import { hash } from 'node:crypto'
import { InvalidUsernameError } from './errors.ts'

const CHARACTERS_MAX = 1_000

/** @throws InvalidUsernameError unless `name` can be a user's */
export function checkUsername(name: string): void {
  if (!isUsername(name)) throw new InvalidUsernameError()
}

export function isUsername(name: string): boolean {
  // PostgreSQL's text holds no NUL, and UTF-8 no half of a surrogate pair: two
  // names that differ only there would become one.
  if (name === '' || name.includes('\0') || !name.isWellFormed()) return false
  // Characters are code points; a string has at most two units for each.
  if (name.length <= CHARACTERS_MAX) return true
  return name.length <= 2 * CHARACTERS_MAX && [...name].length <= CHARACTERS_MAX
}

/** Case-sensitive, and not normalised: the same characters are the same name. */
export const usernameDigest = (name: string): string => hash('sha256', name, 'base64url')
