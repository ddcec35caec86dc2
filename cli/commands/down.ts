/**
 * `convoy down`: stops the system of this checkout, whole. Doing it twice does no harm.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { AlreadyRunningError, endLeftoversOf } from '../../local/convoy.ts'
import { isFolder } from '../../local/folder.ts'
import { isAlive, signal } from '../../local/processes/identity.ts'
import { starterIn } from '../../local/starter.ts'
import { command, printJson } from '../command.ts'
import { CommandError, EXIT } from '../outcome.ts'
import { Progress, stdout } from '../terminal.ts'
import { type Place, placeOf } from '../up/place.ts'

/** A stop in order takes at most 10 s. */
const ENDS_WITHIN_MS = 30_000
const LOOK_MS = 50

export const down = command({
  usage: 'down',
  describe: 'Stops the system that runs in this checkout; the data stays',
  examples: [
    ['$0 down', 'returns when nothing of it is left running'],
    ['$0 up --remove', 'afterwards: removes all data']
  ],
  run: async args => {
    const place = placeOf(args)
    const stopped = isFolder(place.root) && (await stop(place))
    if (args.json) printJson({ stopped })
    else stdout(stopped ? 'stopped; nothing is left running' : `no Convoy runs in ${place.root}`)
    return EXIT.done
  }
})

/** @returns whether there was something to stop */
async function stop(place: Place): Promise<boolean> {
  using _progress = new Progress('stopping')
  const untilMs = performance.now() + ENDS_WITHIN_MS
  let asked = false
  for (;;) {
    const starter = starterIn(place.root)
    if (starter !== undefined) {
      if (!asked) asked = signal(starter, 'SIGTERM')
      while (isAlive(starter) && performance.now() < untilMs) await sleep(LOOK_MS)
    }
    const ended = await endLeftovers(place)
    if (ended !== undefined) return asked || ended > 0
    if (performance.now() > untilMs) throw hangs(starter?.pid)
    await sleep(LOOK_MS) // It has begun, or is about to end.
  }
}

/** Undefined while somebody holds the folder. */
async function endLeftovers(place: Place): Promise<number | undefined> {
  try {
    return await endLeftoversOf(place.open())
  } catch (err) {
    if (err instanceof AlreadyRunningError) return undefined
    throw err
  }
}

function hangs(pid: number | undefined): CommandError {
  return new CommandError(`it still runs after ${ENDS_WITHIN_MS / 1_000} s`, {
    exitCode: EXIT.unknownOutcome,
    next:
      pid === undefined
        ? 'another command works in its folder: try again'
        : `kill -9 ${pid}: everything that it started ends with it`
  })
}
