import t from 'tap'
import { OverloadedError } from '../wire/errors.ts'
import { InvalidPasswordError } from './errors.ts'
import { checkPassword, PasswordHasher } from './passwords.ts'

const SHA1 = 'a94a8fe5ccb19ba61c4c0873d391e987982fbbd3'

t.test('a password is exactly 40 hex digits, of either case', async t => {
  for (const password of [SHA1, SHA1.toUpperCase()]) t.doesNotThrow(() => checkPassword(password))
  for (const password of ['', SHA1.slice(1), `${SHA1}0`, `${SHA1}\n`, `g${SHA1.slice(1)}`]) {
    t.throws(() => checkPassword(password), InvalidPasswordError, password)
  }
})

t.test('the same call makes the same hash, another call another one', async t => {
  const hasher = new PasswordHasher({ costLog2: 4, queueMax: 10 })
  const first = await hasher.hash(SHA1, 'users-api:create-user:k1:insert')
  t.match(first, /^scrypt\$4\$8\$1\$[\w-]{22}\$[\w-]{43}$/)
  t.equal(await hasher.hash(SHA1.toUpperCase(), 'users-api:create-user:k1:insert'), first)
  t.not(await hasher.hash(SHA1, 'users-api:create-user:k2:insert'), first)
  t.notMatch(first, SHA1)
})

t.test('two are computed at once, the queue holds some, and more are refused', async t => {
  const hasher = new PasswordHasher({ costLog2: 4, queueMax: 3 })
  const outcomes = await Promise.allSettled(
    Array.from({ length: 7 }, (_, i) => hasher.hash(SHA1, `id ${i}`))
  )
  const refused = outcomes.filter(outcome => outcome.status === 'rejected')
  t.equal(refused.length, 2)
  t.type(refused[0]?.reason, OverloadedError)
  await t.resolves(hasher.hash(SHA1, 'later'), 'and there is room again')
})
