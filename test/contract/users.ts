/** The lines of docs/api.md about users. */
import type { Test } from 'tap'
import { type Convoy, call, codeOf, newName, newUser, PASSWORD } from '../../testing/convoy.ts'

export async function usersContract(t: Test, convoy: Convoy): Promise<void> {
  const users = `${convoy.lb}/api/v1/users`
  const signUp = (body: unknown) => call(`PUT ${users}`, { body })

  await t.test('a user signs up and is found', async t => {
    const username = newName()
    const answer = await signUp({ username, password: PASSWORD })
    t.equal(answer.status, 201)
    t.strictSame(answer.body, {})
    const found = await call(`GET ${users}?username=${username}`)
    t.equal(found.status, 200)
    t.strictSame(found.body, [username])
    t.ok((await call(`GET ${users}`)).body as string[], 'and listed')
    t.ok(((await call(`GET ${users}`)).body as string[]).includes(username))
  })

  await t.test('a name is taken once, and its case matters', async t => {
    const username = await newUser(convoy)
    const again = await signUp({ username, password: PASSWORD })
    t.equal(again.status, 400)
    t.equal(codeOf(again), 'CONVOY_USER_EXISTS')
    t.equal((await signUp({ username: username.toUpperCase(), password: PASSWORD })).status, 201)
  })

  await t.test('of many sign-ups for one name at once, exactly one wins', async t => {
    const username = newName()
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => signUp({ username, password: PASSWORD }))
    )
    const statuses = answers.map(({ status }) => status).sort()
    t.strictSame(statuses, [201, ...Array(9).fill(400)])
  })

  await t.test('a password is 40 hex digits of either case', async t => {
    const upper = { username: newName(), password: PASSWORD.toUpperCase() }
    t.equal((await signUp(upper)).status, 201)
    for (const password of ['', PASSWORD.slice(1), `${PASSWORD}0`, `${PASSWORD.slice(1)}g`]) {
      const username = newName()
      const answer = await signUp({ username, password })
      t.equal(answer.status, 400, password)
      t.equal((await call(`GET ${users}?username=${username}`)).status, 204)
    }
  })

  await t.test('a field that is missing or no string is refused', async t => {
    const username = newName()
    const bodies = [
      { username },
      { password: PASSWORD },
      { username, password: 5 },
      { username: 5, password: PASSWORD },
      { username: null, password: PASSWORD },
      {},
      [],
      'text',
      null
    ]
    for (const body of bodies) {
      const answer = await signUp(body)
      t.equal(answer.status, 400, JSON.stringify(body))
      t.equal(codeOf(answer), 'CONVOY_INVALID_REQUEST')
    }
    for (const text of ['{"username":', '']) {
      const answer = await call(`PUT ${users}`, {
        text,
        headers: { 'content-type': 'application/json' }
      })
      t.equal(answer.status, 400)
      t.type(codeOf(answer), 'string')
    }
  })

  await t.test('names of any script and 1 to 1,000 characters are users', async t => {
    const suffix = newName('')
    const names = [
      `Ünï côdé/?&=%#+ ${suffix}`,
      `'; drop table users; --${suffix}`,
      suffix.padEnd(1_000, '名'),
      `${'👩'.repeat(1_000 - suffix.length)}${suffix}`
    ]
    for (const username of names) {
      t.equal((await signUp({ username, password: PASSWORD })).status, 201)
      const path = encodeURIComponent(username)
      t.strictSame((await call(`GET ${users}?username=${path}`)).body, [username])
      t.equal((await call(`DELETE ${users}/${path}`)).status, 200)
      t.equal((await call(`GET ${users}?username=${path}`)).status, 204)
    }
    for (const username of ['', 'a'.repeat(1_001), 'a'.repeat(5_000), 'a\0b']) {
      const answer = await signUp({ username, password: PASSWORD })
      t.equal(answer.status, 400)
      t.equal(codeOf(answer), 'CONVOY_USERNAME_INVALID')
    }
  })

  await t.test('an unknown user is no content', async t => {
    const answer = await call(`GET ${users}?username=${newName()}`)
    t.equal(answer.status, 204)
    t.equal(answer.body, undefined)
  })

  await t.test('the list goes on in order from any name', async t => {
    const prefix = newName('~page')
    const names = ['a', 'B', 'b', 'c', 'ä', '名'].map(end => `${prefix}${end}`)
    for (const username of names) await signUp({ username, password: PASSWORD })
    const ordered = names.toSorted((a, b) => (a < b ? -1 : 1))
    const page = async (after: string, limit: number) =>
      (await call(`GET ${users}?limit=${limit}&after=${encodeURIComponent(after)}`)).body
    t.strictSame(await page(prefix, 4), ordered.slice(0, 4))
    t.strictSame(await page(ordered[3] as string, 2), ordered.slice(4, 6))
    const [first] = (await call(`GET ${users}?limit=1`)).body as string[]
    t.equal(first, ((await call(`GET ${users}`)).body as string[])[0])
    t.equal(
      (await call(`GET ${users}?limit=1&after=${encodeURIComponent('\u{10ffff}')}`)).status,
      204
    )
    for (const limit of ['0', '-1', 'x', '', '1.5']) {
      t.equal((await call(`GET ${users}?limit=${limit}`)).status, 400, limit)
    }
  })

  await t.test('a user is deleted once', async t => {
    const username = await newUser(convoy)
    const answer = await call(`DELETE ${users}/${username}`)
    t.equal(answer.status, 200)
    t.strictSame(answer.body, {})
    t.equal((await call(`GET ${users}?username=${username}`)).status, 204)
    const again = await call(`DELETE ${users}/${username}`)
    t.equal(again.status, 400)
    t.equal(codeOf(again), 'CONVOY_USER_UNKNOWN')
    t.equal((await signUp({ username, password: PASSWORD })).status, 201, 'the name is free')
  })

  await t.test('every answer of users-api tells its log index', async t => {
    const username = await newUser(convoy)
    const [instance] = convoy.usersApi
    const answers = [
      await call(`GET ${users}?username=${username}`),
      await call(`GET ${users}?username=${newName()}`),
      await call(`GET ${users}`),
      await call(`PUT ${users}`, { body: {} }),
      await call(`DELETE ${users}/${username}`),
      await call(`GET ${instance}/api/v1/nothing`)
    ]
    for (const { headers } of answers) t.match(headers['convoy-index'], /^\d+$/)
  })
}
