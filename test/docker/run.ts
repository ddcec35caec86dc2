/**
 * `npm run test:docker`: what Convoy does in containers, on a Docker engine of its own in
 * a temporary folder: the machine's own engine, if it has one, is left alone. Needs root;
 * brings Debian's docker.io and docker-compose where they are missing.
 */
import { existsSync } from 'node:fs'
import yargs from 'yargs'
import { buildImages } from '../../compose/images.ts'
import { ensureSoftware, installPackages } from '../../local/install/install.ts'
import { SEE_HELP } from '../../local/script.ts'
import { clearAway } from '../left-behind.ts'
import { NONE, sum, type Totals, totalsLine } from '../report.ts'
import { openScratch } from '../scratch.ts'
import { runTap, testFiles } from '../suite.ts'
import { startEngine, type TestEngine } from './engine.ts'

/** What brings it, by file. */
const TOOLS = {
  '/usr/sbin/dockerd': 'docker.io',
  '/usr/bin/docker-compose': 'docker-compose',
  '/bin/busybox': 'busybox-static',
  '/usr/sbin/debootstrap': 'debootstrap'
}
const FILE_TIMEOUT_S = 600

await yargs(process.argv.slice(2))
  .scriptName('npm run test:docker')
  .usage(
    '$0\n\nBuilds the images, and tests a whole Convoy in containers. Takes minutes; needs root.'
  )
  .demandCommand(0, 0)
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const ending = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => ending.abort())
}

const startedAt = performance.now()
const say = (line: string) => {
  console.log(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${line}`)
}
const missing = bringTools()
if (missing !== null) {
  console.log(`Docker is not tested: ${missing}`)
  process.exit(0)
}
const scratch = openScratch()
let totals: Totals = NONE
try {
  totals = await withEngine(testAll)
} catch (err) {
  console.error(err)
  totals = sum(totals, { ...NONE, failed: 1 })
}
totals = sum(totals, await clearAway(scratch, line => console.log(line)))
say('done')
console.log(totalsLine(totals))
process.exit(totals.failed === 0 ? 0 : 1)

/** @returns why it cannot be tested here; null when it can */
function bringTools(): string | null {
  if (process.getuid?.() !== 0) return 'an engine of its own takes root'
  const packages = Object.entries(TOOLS).flatMap(([file, name]) => (existsSync(file) ? [] : [name]))
  if (packages.length > 0) {
    say(`installing ${packages.join(', ')}`)
    try {
      installPackages(packages)
    } catch (err) {
      return String(err)
    }
  }
  ensureSoftware(say)
  return null
}

async function withEngine(test: (engine: TestEngine) => Promise<Totals>): Promise<Totals> {
  let engine: TestEngine
  try {
    engine = await startEngine()
  } catch (err) {
    console.log(`Docker is not tested: no engine can run here. ${err}`)
    return { ...NONE, skipped: testFiles('docker').length }
  }
  try {
    return await test(engine)
  } finally {
    await engine.remove()
  }
}

async function testAll(engine: TestEngine): Promise<Totals> {
  process.env['DOCKER_HOST'] = engine.host
  say('building the images')
  buildImages('latest', say)
  const env = { ...process.env, CONVOY_TEST_ENGINE: engine.dir }
  const show = (text: string) => console.log(text)
  // One after the other: each has engines and systems of its own, and there are two cores.
  return runTap(testFiles('docker'), {
    ...{ jobs: 1, timeoutS: FILE_TIMEOUT_S, env, show },
    stopped: ending.signal
  })
}
