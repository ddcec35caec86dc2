/**
 * docs/tutorial.md and docs/client.md as they are: their files are written, their commands run,
 * and what is printed is compared. Only `npm start` is replaced, by the same code on free ports.
 */
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import t from 'tap'
import { Ports } from '../../local/processes/ports.ts'
import { startConvoy } from '../../testing/environment.ts'

const CHECKOUT = join(import.meta.dirname, '../..')
const RUN_MS = 120_000

interface Block {
  readonly language: string
  /** What follows the language: a file's name, or where a command is to be run. */
  readonly about: string
  readonly content: string
}

const blocksOf = (page: string): Block[] =>
  [
    ...readFileSync(join(CHECKOUT, 'docs', page), 'utf8').matchAll(
      /^```(\w+) ?([^\n]*)\n(.*?)^```$/gms
    )
  ].map(([, language = '', about = '', content = '']) => ({ language, about, content }))

const convoy = await startConvoy()
t.teardown(() => convoy[Symbol.asyncDispose]())
const folder = mkdtempSync(join(tmpdir(), 'convoy-tutorial-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const env = {
  ...process.env,
  PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
  CONVOY: CHECKOUT,
  CONVOY_URL: convoy.run.addresses.orchestrator
}

t.test('the tutorial does what it says', async t => {
  await using ports = new Ports()
  const blocks = blocksOf('tutorial.md').filter(({ about }) => about !== 'in the checkout')
  // One shell for all of it, as for a reader: it keeps its folder and its background job.
  const shell = spawn('bash', ['-e'], {
    cwd: folder,
    env: { ...env, PORT: String(await ports.take()) },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: RUN_MS,
    detached: true
  })
  t.teardown(() => killGroup(shell.pid))
  shell.stdin.end(blocks.map(commandsOf).join('\n'))
  const [printed, complained] = await Promise.all([text(shell.stdout), text(shell.stderr)])
  const said = printed.split(/^== block \d+\n/m).slice(1)
  for (const [i, { language, content }] of blocks.entries()) {
    if (language === 'text') t.equal(said[i - 1], content)
  }
  t.equal(said.length, blocks.length, complained)
})

t.test('the examples of the client run', async t => {
  const file = join(CHECKOUT, 'docs', `client-${process.pid}.ts`)
  t.teardown(() => rmSync(file, { force: true }))
  const examples = blocksOf('client.md').filter(({ language }) => language === 'ts')
  writeFileSync(file, examples.map(({ content }) => content).join('\n'))
  const { stdout } = await promisify(execFile)(process.execPath, [file], { env, timeout: RUN_MS })
  const lines = stdout.trim().split('\n')
  t.match(lines[0], /^\d+ 2 \[ \{ name: 'ada' \}, \{ name: 'grace' \} \]$/)
  t.strictSame(lines.slice(1), [
    'order-4711',
    'true',
    "[ { name: 'ada', cents: '200' } ]",
    '2',
    'accounts_cents_check',
    '5'
  ])
})

/** What a reader does with a block; each says which it is, to tell apart what they print. */
function commandsOf({ language, about, content }: Block, i: number): string {
  const mark = `echo '== block ${i}'`
  if (language === 'ts') return `${mark}\ncat > ${about} <<'END OF FILE'\n${content}END OF FILE`
  return language === 'sh' ? `${mark}\n${content}` : mark
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {} // all of it has ended
}
