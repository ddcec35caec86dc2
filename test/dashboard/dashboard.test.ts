/**
 * The dashboard in a real browser, on a whole system with a token: what it shows, what it
 * does, and whom it lets. With CONVOY_SCREENSHOTS=1 it also takes the pictures in
 * docs/images/.
 */
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t from 'tap'
import { call } from '../../testing/convoy.ts'
import { startConvoy } from '../../testing/environment.ts'
import { until } from '../../testing/wait.ts'
import { CHECKOUT } from '../suite.ts'
import { unnamed } from './accessibility.ts'
import { giveToken, hasBrowser, openBrowser, openPage } from './browser.ts'

const TOKEN = 'of the dashboard test'
const SOON = { withinMs: 10_000 }
const SCALED = { withinMs: 60_000 }
/** Refusals that a test provokes: the browser writes each of them to its console. */
const PROVOKED = /status of (400|401|404|409)/

if (!hasBrowser()) {
  t.plan(0, 'no Chromium: `npm test` brings it')
  process.exit(0)
}

const convoy = await startConvoy({
  token: TOKEN,
  settings: { CONVOY_LOG_LEVEL: 'debug' }
})
t.teardown(() => convoy[Symbol.asyncDispose]())
const url = convoy.run.addresses.orchestrator
const browser = await openBrowser(t)
const { page, errors, elsewhere } = await openPage(browser, url)

const headers = { authorization: `Bearer ${TOKEN}` }
const post = (path: string, body: object) => call(`POST ${url}/api/v1/${path}`, { body, headers })

const workers = (of: Page = page) => of.locator('#picture .box.worker[data-id]')
/** Writes and reads, one after the other. */
async function load(from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) {
    const sql = 'insert into seen values ($1, $2)'
    await post('db/write', { statements: [{ sql, params: [n, `<b>row</b> ${n}`] }] })
    await post('db/read', { sql: 'select count(*) from seen' })
    await post('db/read', { sql: 'select * from seen where id = $1', params: [n] })
  }
}

/** Resolves when the picture shows so many workers in sync. */
const wellWorkers = (count: number) =>
  until(`${count} workers in sync`, SCALED, async () =>
    (await page.locator('#picture .box.worker.well').count()) === count ? true : undefined
  )
const masterTitle = () => page.locator('#picture .box.master .title')

/** Controls that can be seen, each by a text of its own. */
const KEY = `const key = e => [e.tagName, e.id, e.textContent.slice(0, 40)].join(' ')`
const VISIBLE = `(() => { ${KEY}
  return [...document.querySelectorAll('a[href], button, input, select, textarea, summary')]
    .filter(e => e.checkVisibility() && !e.closest('dialog')).map(key) })()`
const FOCUSED = `(() => { ${KEY}; return key(document.activeElement) })()`

await t.test('without a token it shows nothing, and asks for one', async t => {
  await page.locator('#token-dialog').waitFor()
  t.equal(await page.locator('#link').textContent(), 'a token is needed')
  t.equal(await page.locator('#picture svg').count(), 0)
})

await t.test('with a wrong token it says so, and asks again', async t => {
  await giveToken(page, 'guessed')
  await page.getByText('That token was refused').waitFor()
  t.equal(await page.locator('#picture svg').count(), 0)
})

await t.test('with the token it shows three workers, one of them the master', async t => {
  await giveToken(page, TOKEN)
  await wellWorkers(3)
  t.equal(await page.locator('#picture .box.master').count(), 1)
  t.equal(await page.locator('#link').textContent(), 'live')
  for (const name of ['users-api', 'rides-api', 'orchestrator', 'writeQ', 'readQ', 'strongQ']) {
    t.equal(await page.locator('#picture').getByText(name, { exact: true }).count(), 1, name)
  }
  t.match(
    await page.locator('#picture svg').getAttribute('aria-label'),
    /Worker \d+ leads in term 1\. 2 replicas: \d+ in sync, lag/
  )
})

await t.test('the token is in this tab alone, and in no address', async t => {
  t.notMatch(page.url(), /dashboard test|token/)
  const stored = await page.evaluate(
    '[sessionStorage.length, localStorage.length, document.cookie]'
  )
  t.strictSame(stored, [1, 0, ''])
})

await t.test('charts fill while there is a load', async t => {
  await post('db/write', {
    statements: [{ sql: 'create table seen (id bigint primary key, body text)' }]
  })
  await load(0, 60)
  const values = page.locator('#charts figure').nth(0).locator('dd')
  await until('reads and writes in the chart', SOON, async () => {
    const [reads = '', writes = ''] = await values.allTextContents()
    return Number(reads) > 0 && Number(writes) > 0 ? true : undefined
  })
  t.match(
    await page.locator('#charts svg[role="img"]').nth(2).getAttribute('aria-label'),
    /^Latency of writes, ms: p50 [\d.,]+, p99 [\d.,]+; at most [\d.,]+/
  )
})

await t.test('a page that is opened later has the minutes before', async t => {
  /** Of throughput, which is known in each second. */
  const points = async (of: Page) => {
    const path = await of.locator('#charts figure > svg path.line-0').first().getAttribute('d')
    return (path ?? '').split('L').length
  }
  const before = await until('a line of several samples', SOON, async () => {
    const count = await points(page)
    return count > 3 ? count : undefined
  })
  const later = await openPage(browser, url)
  await giveToken(later.page, TOKEN)
  await workers(later.page).first().waitFor()
  t.ok((await points(later.page)) >= before, `the ${before} samples before`)
  t.ok((await later.page.locator('#timeline li').count()) > 0)
  await later.page.context().close()
})

await t.test('a killed master changes the picture within a second', async t => {
  const before = (await masterTitle().textContent()) ?? ''
  const pid = Number(before.replace('master ', ''))
  const watching = page.evaluate(
    `new Promise(resolve => {
      const look = () => {
        const title = document.querySelector('#picture .box.master .title')?.textContent
        if (title === ${JSON.stringify(before)}) requestAnimationFrame(look)
        else resolve(Date.now())
      }
      look()
    })`
  ) as Promise<number>
  const killedAt = Date.now()
  process.kill(pid, 'SIGKILL')
  const ms = (await watching) - killedAt
  t.comment(`the picture changed after ${ms} ms`)
  t.ok(ms < 1_000, `after ${ms} ms`)
  await page.locator('#timeline .elected').first().waitFor()
  await until('another master', SOON, async () => {
    const title = await masterTitle().textContent()
    return title !== null && title !== before ? true : undefined
  })
  t.match(await page.locator('#timeline').textContent(), `Worker ${pid} is gone; it was master`)
  await wellWorkers(3)
})

await t.test('it scales', async t => {
  await page.getByLabel('Replicas', { exact: true }).fill('3')
  await page.getByRole('button', { name: 'Keep so many' }).click()
  await page.getByText('Replicas wanted', { exact: true }).waitFor()
  await wellWorkers(4)
  t.match(await page.locator('#facts').textContent(), '3 of 3 wanted')
})

await t.test('it hands over', async t => {
  const before = await masterTitle().textContent()
  await page.getByRole('button', { name: 'Hand over' }).click()
  await page.getByText(/Worker \d+ leads now/).waitFor()
  await until('another master', SOON, async () =>
    (await masterTitle().textContent()) === before ? undefined : true
  )
  t.pass()
})

await t.test('it kills only when told twice', async t => {
  const kill = page.getByRole('button', { name: 'Kill a replica' })
  await kill.click()
  await page.getByRole('button', { name: 'Cancel' }).click()
  t.equal(
    await page
      .locator('#done')
      .textContent()
      .then(text => text?.includes('Killed')),
    false
  )
  await kill.focus()
  await page.keyboard.press('Enter')
  await page.keyboard.press('Escape')
  t.equal(await page.locator('#sure').isVisible(), false)
  await kill.click()
  await page.getByRole('button', { name: 'Kill the replica' }).click()
  const killed = (await page.getByText(/Killed worker \d+/).textContent()) ?? ''
  const title = killed.replace('Killed worker', 'replica')
  await page.locator('#picture').getByText(title, { exact: true }).waitFor({ state: 'detached' })
  await wellWorkers(4)
})

await t.test('it freezes a replica, and starts it again', async t => {
  const title = (await page.locator('#picture .box.replica .title').first().textContent()) ?? ''
  const pid = title.replace('replica ', '')
  await page.getByLabel('Instance').selectOption({ label: `worker ${pid}` })
  const done = page.locator('#done').getByText('Done', { exact: true })
  await page.getByRole('button', { name: 'Freeze' }).click()
  const frozen = page.locator('#picture').getByText('frozen', { exact: true })
  await frozen.waitFor()
  await done.waitFor()
  await page.getByRole('button', { name: 'Start again' }).click()
  await frozen.waitFor({ state: 'detached' })
  await done.waitFor()
  await wellWorkers(4)
  t.pass()
})

await t.test('it does not freeze the only one of its kind', async t => {
  const lb = page.locator('#instance option', { hasText: 'lb ' })
  await page.getByLabel('Instance').selectOption((await lb.getAttribute('value')) ?? '')
  await page.getByRole('button', { name: 'Freeze' }).click()
  await page.getByText(/Refused: .*CONVOY_LAST_INSTANCE/).waitFor()
  t.equal(await page.locator('#picture').getByText('frozen', { exact: true }).count(), 0)
})

await t.test('SQL: rows as text, timing, plans, and what is refused', async t => {
  await page.getByRole('link', { name: 'SQL' }).click()
  const said = page.locator('#sql-said')
  await page.getByLabel('Statement').fill('select * from seen where id < $1 order by id')
  await page.getByLabel('Parameters').fill('[2]')
  await page.getByLabel('Consistency').selectOption('strong')
  await page.getByRole('button', { name: 'Read' }).click()
  await page.getByText(/^2 rows in [\d.,]+ ms, from worker/).waitFor()
  t.strictSame(await page.locator('#result td').allTextContents(), [
    '0',
    '<b>row</b> 0',
    '1',
    '<b>row</b> 1'
  ])
  t.equal(await page.locator('#result b').count(), 0, 'what is stored is no markup')
  await page.getByRole('button', { name: 'Plan', exact: true }).click()
  await page.getByText(/^Plan in.*nothing was run/).waitFor()
  t.match(await page.locator('#result').textContent(), /(Scan|Sort).*seen/)
  await page.getByRole('button', { name: 'Run, and plan' }).click()
  await page.getByText(/^Plan in.*it ran for/).waitFor()
  t.match(await page.locator('#result').textContent(), /in truth 2 rows/)
  await page.getByLabel('Statement').fill('delete from seen')
  await page.getByLabel('Parameters').fill('[]')
  await page.getByRole('button', { name: 'Plan', exact: true }).click()
  await page.getByText('only reading statements').waitFor()
  await page.getByLabel('Statement').fill('select  nothing_such from seen')
  await page.keyboard.press('Control+Enter')
  await page.getByText('does not exist').waitFor()
  const selected = await page.evaluate(`document.getElementById('statement').selectionStart`)
  t.equal(selected, 8, 'the place of the error is selected')
  await page.getByLabel('Statement').fill("insert into seen values (1000, 'from the page')")
  await page.getByRole('button', { name: 'Write' }).click()
  await page.getByText(/^1 row in/).waitFor()
  await page.getByLabel('Statement').fill('select count(*) from seen where id = 1000')
  await page.getByLabel('Consistency').selectOption('session')
  await page.getByRole('button', { name: 'Read' }).click()
  await until('the own write', SOON, async () =>
    (await page.locator('#result td').textContent()) === '1' ? true : undefined
  )
  t.match(await said.textContent(), /request \S+$/)
})

await t.test('the logs of a request by its id', async t => {
  await call(`GET ${convoy.run.addresses.lb}/api/v1/users`, {
    headers: { 'x-request-id': 'order-66' }
  })
  await page.getByRole('link', { name: 'Requests' }).click()
  await page.getByLabel('Request id').fill('order-66')
  await until('its lines', SOON, async () => {
    await page.getByRole('button', { name: 'Look it up' }).click()
    await page.getByText(/in the logs of/).waitFor()
    return (await page.locator('#lines li').count()) > 0 ? true : undefined
  })
  t.match(await page.locator('#lines').textContent(), /users-api.*request answered/)
  t.match(await page.locator('#request-said').textContent(), /orchestrator.*worker/)
})

await t.test('the keyboard reaches every control', async t => {
  for (const name of ['Cluster', 'SQL', 'Requests']) {
    await page.getByRole('link', { name }).click()
    await page.locator('nav a[aria-current=page]', { hasText: name }).waitFor()
    const wanted = (await page.evaluate(VISIBLE)) as string[]
    const reached = new Set<string>()
    await page.evaluate('document.activeElement.blur()')
    for (let n = 0; n < wanted.length + 20; n++) {
      await page.keyboard.press('Tab')
      reached.add((await page.evaluate(FOCUSED)) as string)
    }
    t.strictSame(
      wanted.filter(one => !reached.has(one)),
      [],
      name
    )
  }
})

await t.test('whatever can be used has a name', async t => {
  for (const name of ['Cluster', 'SQL', 'Requests']) {
    await page.getByRole('link', { name }).click()
    await page.locator('nav a[aria-current=page]', { hasText: name }).waitFor()
    t.strictSame(await unnamed(page), [], name)
  }
  for (const role of ['banner', 'navigation', 'main'] as const) {
    t.equal(await page.getByRole(role).count(), 1, role)
  }
})

await t.test('light and dark, as the system has it or as chosen', async t => {
  const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
  const light = await ground()
  await page.getByLabel('Theme').selectOption('dark')
  const dark = await ground()
  t.not(light, dark)
  await page.reload()
  t.equal(await ground(), dark, 'kept')
  await page.getByLabel('Theme').selectOption('')
  await page.emulateMedia({ colorScheme: 'dark' })
  t.equal(await ground(), dark)
  await page.emulateMedia({ colorScheme: 'light' })
  t.equal(await ground(), light)
})

await t.test('no error on the console, and nothing asked of another host', async t => {
  t.strictSame(
    errors.filter(text => !PROVOKED.test(text)),
    []
  )
  t.strictSame(elsewhere, [])
})

if (process.env['CONVOY_SCREENSHOTS'] !== undefined) {
  await t.test('the pictures of the docs', async t => {
    await page.getByRole('link', { name: 'Cluster' }).click()
    await workers().first().waitFor()
    await page.getByLabel('Show').selectOption('120')
    await load(100, 600)
    for (const scheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: scheme })
      const path = join(CHECKOUT, 'docs', 'images', `dashboard-${scheme}.png`)
      await page.screenshot({ path, fullPage: true })
    }
    t.pass()
  })
}
