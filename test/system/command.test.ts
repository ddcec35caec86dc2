/**
 * The `convoy` command as people and scripts use it: real processes against a system that
 * it starts, in the background, and stops itself.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Run } from '../../local/convoy.ts'
import { identityOf } from '../../local/processes/identity.ts'
import { until } from '../../testing/wait.ts'
import { CommandSystem, convoy, convoyOnTerminal, ESCAPE, jsonOf, linesOf } from './command.ts'
import { changesSettings, freezes, refusesEngine, switchesOperations } from './command-controls.ts'
import { runsSql, takesLines } from './command-sql.ts'

const TOKEN = 'a-token-that-nobody-shows'
const folder = mkdtempSync(join(tmpdir(), 'convoy-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
t.teardown(() => convoy(['down', '--folder', folder]))

/** What this test starts. */
const system = new CommandSystem(folder)

await t.test('where nothing runs, each command says so, and what to do', async t => {
  const empty = join(folder, 'empty')
  const lines = ['status', 'logs', 'sql -c x', 'recover', 'init']
  const all = await Promise.all(lines.map(line => convoy([...line.split(' '), '--folder', empty])))
  for (const [at, { code, out, err }] of all.entries()) {
    t.strictSame([lines[at], code, out], [lines[at], 3, ''])
    t.match(err, /^convoy: .*\n {2}.*`convoy up`/, lines[at] ?? '')
  }
  const nobody = await convoy(['scale', '3', '--url', 'http://127.0.0.1:9', '--json'])
  t.equal(nobody.code, 3)
  t.match(JSON.parse(nobody.err), { error: /no orchestrator answers/, exitCode: 3, next: String })
  const down = await convoy(['down', '--json', '--folder', empty])
  t.strictSame([down.code, jsonOf(down)], [0, { stopped: false }])
})

await t.test('what is wrong on the command line is 2', async t => {
  const lines = ['dance', 'crash', 'scale many', 'logs --since soon']
  const all = await Promise.all(lines.map(line => system.here(line)))
  for (const [at, { code, out, err }] of all.entries()) {
    t.strictSame([lines[at], code, out], [lines[at], 2, ''])
    t.match(err, /^convoy: .*\n {2}.+/, lines[at] ?? '')
  }
})

await t.test('it starts in the background, and returns when all is ready', async t => {
  const portBase = String(20_000 + Math.floor(Math.random() * 20_000))
  const words = ['up', '-d', '--json', '--replicas', '2', '--port-base', portBase]
  const started = await convoy([...words, '--folder', folder], { env: { CONVOY_TOKEN: TOKEN } })
  t.equal(started.code, 0, started.err)
  const run = jsonOf(started) as Run
  t.equal(run.orchestrators.length, 1)
  const again = await convoy([...words, '--folder', folder])
  t.equal(again.code, 1)
  t.match(again.err, 'runs already')
  const made = await system.here('init')
  t.equal(made.code, 1)
  t.match(made.err, 'there is a cluster already')
})

await t.test('status shows it on one screen, as text and as JSON', async t => {
  const [text, json] = await Promise.all([system.here('status'), system.here('status --json')])
  t.equal(text.code, 0, text.err)
  for (const part of [
    'term 1',
    'master ',
    '3 of 3 in sync',
    '2 of 2 wanted',
    'requests',
    'last elections'
  ]) {
    t.match(text.out, part)
  }
  t.notMatch(text.out, ESCAPE)
  t.match(jsonOf(json), {
    cluster: { term: 1, inSync: Array, replicas: { wanted: 2, actual: 2 } },
    lanes: { unanswered: { writes: Number, reads: Number } },
    elections: [{ type: 'elected', term: 1 }]
  })
})

await t.test('status --watch draws over itself, and gives the terminal back at Ctrl-C', async t => {
  const { code, out } = await convoyOnTerminal(['status', '--watch', '--folder', folder], {
    started: child => {
      let seen = ''
      child.stdout?.on('data', data => {
        seen += data
        if (seen.split(`${ESCAPE}[H`).length > 3) child.stdin?.end('\x03')
      })
    }
  })
  t.equal(code, 0)
  t.match(out, `${ESCAPE}[?1049h`)
  t.match(out, 'in sync')
  t.match(out, `${ESCAPE}[?1049l`)
  t.notMatch(out, `${ESCAPE}[2J`, 'never emptied in between')
})

await t.test('workers, settings, operations and engines are listed', async t => {
  const [workers, json, settings, list, get, operations, hosts] = await Promise.all([
    system.here('workers'),
    system.here('workers --json'),
    system.here('config'),
    system.here('config list --json'),
    system.here('config get replicas'),
    system.here('operations'),
    system.here('hosts --json')
  ])
  t.equal(workers.out.trimEnd().split('\n').length, 4)
  t.notMatch(workers.out, ESCAPE)
  t.match(jsonOf(json), [{ role: String, pid: Number }, {}, {}])
  t.match(settings.out, /^replicas +2 +/m)
  t.match(settings.out, /^log\.worker +default +/m)
  t.match(jsonOf(list), { replicas: 2, policy: 'fixed', 'log.worker': null })
  t.equal(get.out, '2\n')
  t.match(operations.out, /^rides\.create +enabled +rides-api$/m)
  t.strictSame(jsonOf(hosts), [])
})

await t.test('a wrong token is 4, and no token is ever shown', async t => {
  const lines = ['status', 'verify', 'scale 3', 'crash master --yes']
  const wrong = { env: { CONVOY_TOKEN: 'wrong-and-secret' } }
  const refused = await Promise.all([
    ...lines.map(line => system.here(line, wrong)),
    system.sql(['-c', 'select 1'], wrong),
    system.here('config set log.lb debug', wrong)
  ])
  for (const { code, out, err } of refused) {
    t.strictSame([code, out], [4, ''], err)
    t.match(err, 'CONVOY_TOKEN')
    t.notMatch(err, 'wrong-and-secret')
  }
  const file = join(folder, 'mine')
  writeFileSync(file, `${TOKEN}\n`)
  const { orchestrator: url } = system.addresses
  const byFile = await convoy(['verify', '--url', url, '--token-file', file])
  t.equal(byFile.code, 0, byFile.err)
  t.equal((await convoy(['verify', '--url', url])).code, 4, 'the token here is for what runs here')
})

await t.test('SQL is run from the command line, from files and from a pipe', t =>
  runsSql(t, system)
)

await t.test('at the prompt, a statement takes lines until its semicolon', t =>
  takesLines(t, system)
)

await t.test('replicas, policy and settings are changed, and change back', t =>
  changesSettings(t, system)
)

await t.test('a request is found in the logs by its id', async t => {
  const { lb, orchestrator: url } = system.addresses
  const asked = await fetch(`${lb}/api/v1/rides?source=1&destination=2`, {
    headers: { 'x-request-id': 'find-me-1' }
  })
  t.equal(asked.status, 204)
  await until('lb to have logged it', { withinMs: 10_000 }, async () => {
    const found = await system.here('logs --request find-me-1 --json')
    return found.out !== '' && linesOf(found).some(({ source }) => source === 'lb')
      ? true
      : undefined
  })
  const elsewhere = ['logs', '--url', url, '--token-file', join(folder, 'mine')]
  const told = await convoy([...elsewhere, '--request', 'find-me-1'])
  t.match(told.out, 'request answered')
  t.equal((await convoy(elsewhere)).code, 2)
  const followed = await system.here('logs orchestrator --follow', {
    started: child => child.stdout?.once('data', () => child.kill('SIGINT'))
  })
  t.equal(followed.code, 0)
  t.notMatch(followed.out, ESCAPE)
})

await t.test('an instance is frozen, and starts again', t => freezes(t, system))

await t.test('an operation is switched off, and on again', t => switchesOperations(t, system))

await t.test('an engine that is not there does not join', t => refusesEngine(t, system))

await t.test('the master hands over, and is killed; events tell of both', async t => {
  t.equal((await system.here('crash master')).code, 2, 'there is nobody to ask')
  const { term, pid } = jsonOf(await system.here('handover --json'))
  t.equal(term, 2)
  t.strictSame(jsonOf(await system.here('crash master --yes --json')), {
    role: 'master',
    killed: [pid]
  })
  const events = await system.here('events --last 50 --type elected --count 3 --json')
  t.match(
    linesOf(events).map(event => event.term),
    [1, 2, 3]
  )
  const recover = await system.here('recover --json')
  t.match(jsonOf(recover), { state: { term: 3 }, workers: [{}, {}, {}] })
  const verified = await system.here('verify --json')
  t.equal(verified.code, 0, verified.err)
  t.ok(jsonOf(verified).workers.every(({ equal }: { equal: boolean }) => equal))
})

await t.test('programs are handed their words, and shells complete them', async t => {
  const [bench, chaos, simulate, bash, zsh, words] = await Promise.all([
    convoy(['bench', 'failover', '--help']),
    convoy(['chaos', '--help']),
    convoy(['simulate', '--seeds', '2']),
    convoy(['completion'], { env: { SHELL: '/bin/bash' } }),
    convoy(['completion'], { env: { SHELL: '/bin/zsh' } }),
    convoy(['--get-yargs-completions', 'convoy', 'crash', ''])
  ])
  for (const { code } of [bench, chaos, simulate, bash, zsh, words]) t.equal(code, 0)
  t.match(bench.out, 'failover')
  t.match(bash.out, 'complete -o bashdefault')
  t.match(zsh.out, '#compdef convoy')
  t.match(words.out, /master\nreplica/)
})

await t.test('it stops whole, and stopping twice does no harm', async t => {
  const { starterPid, pids } = system.run
  t.strictSame(jsonOf(await system.here('down --json')), { stopped: true })
  for (const pid of [starterPid, ...Object.values(pids)]) t.equal(identityOf(pid), undefined)
  t.strictSame(jsonOf(await system.here('down --json')), { stopped: false })
  t.equal((await system.here('status')).code, 3)
})
