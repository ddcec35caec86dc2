/**
 * A small disk of a worker's own that can be full, or hang: a file system in a file. A
 * process that writes to a hung one cannot even be killed, as with real disks.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const SIZE_MIB = 320
const BALLAST = 'ballast'
const KEPT_BLOCKS = 256

export class Disk implements Disposable {
  readonly #image: string
  readonly #mount: string
  readonly #guard: ChildProcess

  /** Mounts an empty one; it takes no more of the real disk than is written to it. @throws Error where that is not permitted */
  constructor(dir: string, name: string, sizeMiB = SIZE_MIB) {
    mkdirSync(dir, { recursive: true, mode: 0o711 })
    this.#image = join(dir, `${name}.img`)
    this.#mount = join(dir, name)
    mkdirSync(this.#mount, { mode: 0o711 })
    // The mask of this process may have taken what PostgreSQL's account needs to pass through.
    chmodSync(dir, 0o711)
    run('truncate', '-s', `${sizeMiB}M`, this.#image)
    run('mkfs.ext4', '-q', '-m', '0', this.#image)
    run('mount', '-o', 'loop', this.#image, this.#mount)
    this.#guard = guard(this.#mount, this.#image)
  }

  /** Whether this machine lets us. */
  static permitted(dir: string): boolean {
    const trial = mkdtempSync(join(dir, 'disk-'))
    try {
      new Disk(trial, 'trial')[Symbol.dispose]()
      return true
    } catch {
      return false
    } finally {
      rmSync(trial, { recursive: true, force: true })
    }
  }

  /** Moves a folder that nobody writes in here, and links it from where it was. */
  adopt(folder: string): void {
    const target = join(this.#mount, 'data')
    run('cp', '-a', folder, target)
    renameSync(folder, `${folder}.moved`)
    symlinkSync(target, folder)
    rmSync(`${folder}.moved`, { recursive: true })
  }

  /** While it goes on, whoever asks for it does other things: a load must not notice. */
  async fill(): Promise<void> {
    const { bavail, bsize } = statfsSync(this.#mount)
    // A large file needs some blocks to remember where its blocks are; the rest goes into small ones.
    await runApart('fallocate', '-l', String((bavail - KEPT_BLOCKS) * bsize), this.#ballast(0))
    let blocks = KEPT_BLOCKS
    for (let n = 1; blocks >= 1; n++) {
      try {
        await runApart('fallocate', '-l', String(blocks * bsize), this.#ballast(n))
      } catch {
        blocks = Math.floor(blocks / 2)
      }
    }
    await runApart('sync', '-f', this.#mount)
  }

  free(): void {
    for (const name of readdirSync(this.#mount)) {
      if (name.startsWith(BALLAST)) rmSync(join(this.#mount, name))
    }
  }

  hang(): void {
    run('fsfreeze', '--freeze', this.#mount)
  }

  goOn(): void {
    run('fsfreeze', '--unfreeze', this.#mount)
  }

  #ballast(n: number): string {
    return join(this.#mount, `${BALLAST}.${n}`)
  }

  /** Lazily: a process that ends may still hold it. */
  [Symbol.dispose](): void {
    run('umount', '--lazy', this.#mount)
    rmSync(this.#image, { force: true })
    this.#guard.stdin?.end()
  }
}

/** Takes the disk away when this process has ended in whatever way: then its standard input does. */
function guard(mount: string, image: string): ChildProcess {
  // A frozen file system would stay in the kernel for good, and its loop device with it.
  const script = 'cat; fsfreeze --unfreeze "$0"; umount --lazy "$0" && rm -f "$1"'
  const child = spawn('sh', ['-c', script, mount, image], {
    detached: true, // Ctrl-C, which ends all others, is not for it.
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore']
  })
  child.unref()
  return child
}

async function runApart(program: string, ...args: string[]): Promise<void> {
  await promisify(execFile)(program, args)
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
