/**
 * Runs one of Convoy's TypeScript programs on Node 24, whatever Node the machine has
 * (20 or newer): brings the npm packages where they are missing or not those of the
 * lockfile, Node 24 among them, then hands over arguments, signals and exit code.
 * Plain JavaScript without dependencies, for it runs before there are any.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PARENT_POLL_MS = 500
const SHELLS = ['sh', 'dash', 'bash']

const checkout = dirname(dirname(fileURLToPath(import.meta.url)))
const node = join(checkout, 'node_modules', '.bin', 'node')
const [program, ...args] = process.argv.slice(2)

/** Compares versions, not file times: a checkout touches files that it does not change. */
function installedAsLocked() {
  const installed = join(checkout, 'node_modules', '.package-lock.json')
  if (!existsSync(installed) || !existsSync(node)) return false
  const packagesOf = file => JSON.parse(readFileSync(file, 'utf8')).packages
  const have = packagesOf(installed)
  return Object.entries(packagesOf(join(checkout, 'package-lock.json'))).every(
    // Optional ones are for other platforms too; '' is this project itself.
    ([path, { version, optional }]) => path === '' || optional || have[path]?.version === version
  )
}

function installPackages() {
  // Standard output is the program's: it may be JSON.
  console.error('Installing npm packages by the lockfile (npm ci), Node 24 among them ...')
  const npm = spawnSync('npm', ['ci', '--loglevel=error'], {
    cwd: checkout,
    stdio: ['inherit', 2, 2]
  })
  if (npm.status === 0 && existsSync(node)) return
  console.error('npm ci failed: see above. It needs a package registry that npm can reach.')
  process.exit(1)
}

function run() {
  // Dies with us: the death of any link between npm and the program is told to the program.
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', node, join(checkout, program), ...args], {
    stdio: 'inherit'
  })
  child.on('error', err => {
    console.error(`cannot run ${program}: ${err.message}`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  // biome-ignore lint/style/noProcessEnv: no config.ts can be read before Node 24 is there
  if (process.env['npm_lifecycle_event'] === undefined) return
  // npm passes signals on, unless it was killed with one that cannot be.
  const started = npmAbove()
  const watch = setInterval(() => {
    if (npmAbove() === started) return
    clearInterval(watch) // Said twice, it would mean: at once.
    child.kill('SIGTERM')
  }, PARENT_POLL_MS).unref()
}

/** The pid of npm, which may have put a shell between itself and us. */
function npmAbove() {
  try {
    const stat = readFileSync(`/proc/${process.ppid}/stat`, 'utf8')
    const [, name, rest] = /\((.*)\) (.*)$/s.exec(stat)
    return SHELLS.includes(name) ? Number(rest.split(' ')[1]) : process.ppid
  } catch {
    return undefined
  }
}

if (!installedAsLocked()) installPackages()
run()
