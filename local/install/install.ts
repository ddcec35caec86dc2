/**
 * Brings the servers that are missing, from Debian's packages, and keeps those
 * packages from starting servers of their own: Convoy runs private ones. What it
 * changes for that on the machine is put back afterwards.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { dirname } from 'node:path'
import { UserError } from '../script.ts'
import { findSoftware, type Missing, type Software } from './software.ts'

/** Debian asks this file before a package starts a service; 101 says no. */
const POLICY = { path: '/usr/sbin/policy-rc.d', text: '#!/bin/sh\nexit 101\n', mode: 0o755 }
/** Without it, the package `postgresql` makes a database cluster and starts it at boot. */
const CREATE_CLUSTER = {
  path: '/etc/postgresql-common/createcluster.conf',
  text: 'create_main_cluster = false\n',
  mode: 0o644
}
const APT_LOCK_S = 300

export class CannotInstallError extends UserError {
  override readonly name = 'CannotInstallError'
}

/** @throws CannotInstallError when something is missing and cannot be installed from here */
export function ensureSoftware(say: (line: string) => void): Software {
  const { software, missing } = findSoftware()
  if (software) return software
  const packages = missing.flatMap(each => each.packages)
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) throw howToGet(missing)
  say('Installing from Debian, once:')
  for (const each of missing) say(`  ${each.packages.join(', ')}: ${each.why}`)
  installPackages(packages)
  const found = findSoftware()
  if (!found.software) throw howToGet(found.missing)
  return found.software
}

/** None of their servers is started. @throws CannotInstallError */
export function installPackages(packages: readonly string[]): void {
  withoutServers(() => aptInstall(packages))
}

function howToGet(missing: readonly Missing[]): CannotInstallError {
  const packages = missing.flatMap(each => each.packages).join(' ')
  const lines = missing.map(each => `  ${each.packages.join(', ')}: ${each.why}`)
  return new CannotInstallError(
    [
      'Convoy needs Debian packages that are not installed, and installing them takes root and apt:',
      ...lines,
      'Get them with:',
      `  sudo apt-get install --no-install-recommends ${packages}`,
      'Convoy runs servers of its own; those that the packages start may be stopped and disabled.'
    ].join('\n')
  )
}

function aptInstall(packages: readonly string[]): void {
  const apt = (...args: string[]) =>
    spawnSync('apt-get', ['-qq', '-o', `DPkg::Lock::Timeout=${APT_LOCK_S}`, ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        DEBIAN_FRONTEND: 'noninteractive',
        LANG: 'C.UTF-8'
      }
    }).status === 0
  const install = () => apt('install', '-y', '--no-install-recommends', ...packages)
  // Package lists are missing or old on many machines; fetched only then, for it takes a while.
  if (install() || (apt('update') && install())) return
  throw new CannotInstallError(`apt-get could not install ${packages.join(' ')}: see above`)
}

function withoutServers(install: () => void): void {
  const restore = [POLICY, CREATE_CLUSTER].map(replaceFile)
  try {
    install()
  } finally {
    for (const undo of restore.reverse()) undo()
  }
}

/** @returns what puts the file back as it was */
function replaceFile(file: { path: string; text: string; mode: number }): () => void {
  const before = existsSync(file.path)
    ? { text: readFileSync(file.path), mode: statSync(file.path).mode }
    : undefined
  const write = (text: string | Buffer, mode: number) => {
    mkdirSync(dirname(file.path), { recursive: true })
    writeFileSync(file.path, text)
    chmodSync(file.path, mode)
  }
  write(file.text, file.mode)
  return () => {
    if (before) return write(before.text, before.mode)
    // A package that brought the file itself has left its own beside ours.
    const packaged = `${file.path}.ucf-dist`
    if (existsSync(packaged)) renameSync(packaged, file.path)
    else rmSync(file.path, { force: true })
  }
}
