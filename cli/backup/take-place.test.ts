import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { hasData } from '../../local/convoy.ts'
import { UserError } from '../../local/script.ts'
import { movesOf, takePlace } from './take-place.ts'

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

/** An old cluster of two workers, and a new one beside it. */
function system(t: Test) {
  const home = mkdtempSync(join(tmpdir(), 'convoy-take-place-'))
  t.teardown(() => rmSync(home, { recursive: true }))
  const inHome = (...names: string[]) => join(home, ...names)
  write(inHome('rabbitmq', 'messages'), 'old')
  write(inHome('zookeeper', 'data', 'log'), 'old')
  write(inHome('zookeeper', 'zoo.cfg'), 'old')
  for (const name of ['aaaaaaaa', 'bbbbbbbb']) write(inHome('workers', name, 'worker.json'), 'old')
  write(inHome('restoring', 'worker', 'worker.json'), 'new')
  write(inHome('restoring', 'zookeeper', 'data', 'log'), 'new')
  const places = {
    rabbitMq: inHome('rabbitmq'),
    zooKeeper: inHome('zookeeper'),
    workers: inHome('workers')
  }
  const made = {
    worker: inHome('restoring', 'worker'),
    zooKeeper: inHome('restoring', 'zookeeper')
  }
  return { home, places, made, aside: inHome('replaced') }
}

/** What the files below say. */
const said = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .sort()

t.test('the new cluster is there, and the old one aside', async t => {
  const { home, places, made, aside } = system(t)
  takePlace(places, made, aside)
  t.strictSame(said(places.workers), ['new'])
  t.match(readdirSync(places.workers), [/^[0-9a-f]{8}$/])
  t.strictSame(said(places.zooKeeper), ['new'])
  t.strictSame(said(places.rabbitMq), [])
  t.strictSame(said(aside), ['old', 'old', 'old', 'old', 'old'])
  t.strictSame(said(join(home, 'restoring')), [])
})

t.test('wherever it ends, nothing is lost, and nobody begins empty', async t => {
  const { home, places, made, aside } = system(t)
  const all = said(home)
  for (const move of movesOf(places, made, aside)) {
    renameSync(...move)
    t.strictSame(said(home), all)
    t.ok(hasData(places.workers))
    const memory = existsSync(join(places.zooKeeper, 'data', 'log'))
      ? readFileSync(join(places.zooKeeper, 'data', 'log'), 'utf8')
      : 'none'
    const workers = { old: ['old', 'old'], new: ['new'], none: undefined }[memory]
    if (workers !== undefined) t.strictSame(said(places.workers), workers)
  }
})

t.test('where the file system refuses, all is where it was', async t => {
  const { home, places, made, aside } = system(t)
  const before = said(home)
  rmSync(made.worker, { recursive: true })
  t.throws(() => takePlace(places, made, aside), UserError)
  t.strictSame(said(places.workers), ['old', 'old'])
  t.strictSame(said(places.zooKeeper), ['old', 'old'])
  t.strictSame(said(places.rabbitMq), ['old'])
  t.equal(said(home).length, before.length - 1)
})
