import t from 'tap'
import { InvalidUsernameError } from './errors.ts'
import { checkUsername, isUsername, usernameDigest } from './usernames.ts'

t.test('a username has 1 to 1,000 characters of any script', async t => {
  for (const name of [
    'a',
    ' ',
    'Ünï',
    '名'.repeat(1_000),
    '👩'.repeat(1_000),
    "'; drop table users; --"
  ]) {
    t.ok(isUsername(name), name.slice(0, 20))
  }
  for (const name of ['', 'a'.repeat(1_001), '👩'.repeat(1_001), 'a'.repeat(5_000)]) {
    t.notOk(isUsername(name), name.slice(0, 20))
  }
})

t.test('what no text can hold is no username', async t => {
  t.notOk(isUsername('a\0b'))
  t.notOk(isUsername('a\ud800'))
  const reasons = [
    ['a\0b', 'a username holds no character 0'],
    ['a\ud800', 'a username holds no half of a surrogate pair'],
    ['', 'a username has 1 to 1,000 characters']
  ] as const
  for (const [name, reason] of reasons) {
    t.throws(() => checkUsername(name), new InvalidUsernameError(reason))
  }
})

t.test('names that differ only in case have different digests', async t => {
  t.not(usernameDigest('ada'), usernameDigest('Ada'))
  t.equal(usernameDigest('ada'), usernameDigest('ada'))
})
