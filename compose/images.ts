/**
 * Builds the images. What they begin with comes from a registry, or is made here from
 * Debian's packages and the npm package of Node where none can be reached.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UserError } from '../local/script.ts'
import { docker, dockerList, tryDocker } from './docker.ts'

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url))
const TARGETS = ['zookeeper', 'rabbitmq', 'worker', 'orchestrator', 'service'] as const
const LABEL = 'convoy.image'
const HOME_MADE = { DEBIAN: 'convoy-base/debian:bookworm', NODE: 'convoy-base/node:24' }

type Say = (line: string) => void

export const imageOf = (target: string, tag: string): string => `convoy-${target}:${tag}`

/** All images, as the checkout is now; what has not changed is not built again. */
export function buildImages(tag: string, say: Say): void {
  const bases = baseImages(say)
  const args = Object.entries(bases).flatMap(([name, image]) => ['--build-arg', `${name}=${image}`])
  for (const target of TARGETS) {
    const startedAt = performance.now()
    const file = ['--file', join(CHECKOUT, 'compose/Dockerfile'), '--target', target]
    const marks = ['--tag', imageOf(target, tag), '--label', `${LABEL}=${target}`]
    docker('build', '--quiet', '--network=host', ...args, ...file, ...marks, CHECKOUT)
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
    say(`image ${imageOf(target, tag)} (${seconds} s)`)
  }
  const old = dockerList(
    'image',
    'ls',
    '--quiet',
    '--filter',
    'dangling=true',
    '--filter',
    `label=${LABEL}`
  )
  for (const id of old) tryDocker('image', 'rm', id) // One that is still in use goes at the next time.
}

export function removeImages(tag: string): void {
  for (const target of TARGETS) tryDocker('image', 'rm', imageOf(target, tag))
}

/** As the Dockerfile names them by default, or those made here. */
function baseImages(say: Say): Record<string, string> {
  const wanted = Object.fromEntries(
    [
      ...readFileSync(join(CHECKOUT, 'compose/Dockerfile'), 'utf8').matchAll(/^ARG (\w+)=(.+)$/gm)
    ].map(([, name = '', image = '']) => [name, image])
  )
  const isHere = (image: string) => tryDocker('image', 'inspect', image).ok
  if (Object.values(wanted).every(image => isHere(image) || tryDocker('pull', image).ok))
    return wanted
  if (Object.values(HOME_MADE).every(isHere)) return HOME_MADE
  say('no registry can be reached: making the base images from Debian and npm packages')
  const { status } = spawnSync(
    'bash',
    [join(CHECKOUT, 'compose/base-image.sh'), HOME_MADE.DEBIAN, HOME_MADE.NODE],
    { stdio: ['ignore', 'ignore', 'inherit'] }
  )
  if (status !== 0) throw new UserError('compose/base-image.sh failed: see above; it needs root')
  return HOME_MADE
}
