/**
 * Starts a system as a process of its own and leaves it when it is ready. What that
 * process says goes to `convoy.log`, and here while it starts.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { openSync, readSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Run } from '../../local/convoy.ts'
import { LogFile } from '../../local/processes/log-file.ts'
import { type Arguments, printJson } from '../command.ts'
import { CommandError, EXIT, type ExitCode } from '../outcome.ts'
import { runIn } from '../target.ts'
import { Progress, stdout } from '../terminal.ts'
import type { UpOptions } from './options.ts'

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url))
const LOOK_MS = 100
const DETACH = /^(-d|--detach(=.*)?)$/

export async function inBackground(args: Arguments<UpOptions>, logPath: string): Promise<ExitCode> {
  using log = new LogFile(logPath)
  log.rotate()
  const words = process.argv.slice(2).filter(word => !DETACH.test(word))
  const from = statSync(logPath).size
  const child = spawn(process.execPath, [MAIN, ...words], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd]
  })
  const stop = () => child.kill('SIGTERM')
  process.on('SIGINT', stop).on('SIGTERM', stop)
  const run = await ready(args, { child, tail: tailOf(logPath, from) })
  child.unref()
  if (args.json) printJson(run)
  else stdout(`It runs in the background (pid ${child.pid}).`)
  return EXIT.done
}

async function ready(
  args: Arguments<UpOptions>,
  { child, tail }: { readonly child: ChildProcess; readonly tail: () => string }
): Promise<Run> {
  using _progress = new Progress('starting')
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => {
      // It has said why.
      process.stderr.write(tail())
      reject(new CommandError('Convoy did not start', { next: 'the lines above say why' }))
    })
  })
  const show = args.json ? process.stderr : process.stdout
  const looking = async () => {
    for (;;) {
      show.write(tail())
      const run = runIn(args)
      if (run?.starterPid === child.pid && run !== null) {
        show.write(tail())
        return run
      }
      await sleep(LOOK_MS)
    }
  }
  return await Promise.race([looking(), ended])
}

/** @returns what gives whatever was appended since it was asked last, in whole lines */
function tailOf(path: string, from: number): () => string {
  const fd = openSync(path, 'r')
  let at = from
  return () => {
    const buffer = Buffer.alloc(64 * 1024)
    const length = readSync(fd, buffer, 0, buffer.length, at)
    const end = buffer.subarray(0, length).lastIndexOf('\n') + 1
    at += end
    return buffer.subarray(0, end).toString()
  }
}
