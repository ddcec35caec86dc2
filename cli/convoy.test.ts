import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { wantedOf } from './commands/scale.ts'
import { COMMANDS } from './commands.ts'
import { convoyCommand } from './convoy.ts'
import { manual } from './manual.ts'
import { EXIT, UsageError } from './outcome.ts'

const PAGE = fileURLToPath(new URL('../docs/cli.md', import.meta.url))
const page = readFileSync(PAGE, 'utf8')

t.test('the reference in docs/cli.md is what --help says', async t => {
  t.ok(page.endsWith(await manual()), 'brought up to date by: npm run docs:cli')
})

t.test('the help of each command has examples', async t => {
  for (const { name, ownHelp } of COMMANDS) {
    const help = ownHelp ?? (await convoyCommand([name]).getHelp())
    t.match(
      help,
      new RegExp(`Examples:\n +convoy ${name}|Examples:\n(.*\n)* .*convoy ${name}`),
      name
    )
  }
})

t.test('every exit code is in docs/cli.md, and no other one', async t => {
  const documented = [...page.matchAll(/^\| (\d+) \|/gm)].map(match => Number(match[1]))
  t.strictSame(documented.sort(), Object.values(EXIT).sort())
})

t.test('what is wrong on the command line is told before anything is done', async t => {
  for (const words of [
    [],
    ['nothing'],
    ['crash'],
    ['crash', 'lb'],
    ['status', '--nothing'],
    ['up', '--replicas', '99'],
    ['up', '--detach', '--remove'],
    ['policy', 'magic'],
    ['sql', '-c', 'select 1', '-f', 'x'],
    ['workers', '--url', 'ftp://x'],
    ['recover', '--forget', '--accept-loss']
  ]) {
    await t.rejects(async () => convoyCommand(words).parseAsync(), UsageError, words.join(' '))
  }
})

t.test('commands are completed', async t => {
  const words = await convoyCommand([]).getCompletion(['convoy', 'ver'])
  for (const { name } of COMMANDS) t.ok(words.includes(name), name)
})

t.test('replicas are a number or bounds', async t => {
  t.strictSame(wantedOf('3'), { count: 3 })
  t.strictSame(wantedOf('2..5'), { min: 2, max: 5 })
  for (const text of ['', 'x', '-1', '2..', '1.5']) t.throws(() => wantedOf(text), UsageError, text)
})

t.test('programs that are handed their words exist', async t => {
  for (const file of ['bench/bench.ts', 'bench/chaos/chaos.ts', 'test/simulator/simulate.ts']) {
    t.ok(existsSync(fileURLToPath(new URL(`../${file}`, import.meta.url))), file)
  }
})
