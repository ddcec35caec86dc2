/**
 * Wall clocks that jump while their processes run, by a small library that is loaded before
 * the C library (clock.c). Each program, RabbitMQ, ZooKeeper and each worker's PostgreSQL
 * has a clock of its own; a worker has that of the orchestrator that started it.
 */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Software } from '../../local/install/software.ts'

const SOURCE = join(import.meta.dirname, 'clock.c')
/** A number of seconds, as C has it. */
const FILE_BYTES = 8

export class Clocks implements Disposable {
  readonly #root = mkdtempSync(join(tmpdir(), 'convoy-clocks-'))
  readonly #library = join(this.#root, 'clock.so')
  readonly #files = join(this.#root, 'at')
  readonly #bin = join(this.#root, 'bin')

  private constructor() {
    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', this.#library, SOURCE], { stdio: 'pipe' })
    // Modes are set afterwards, here and below: this process's mask forbids others to read.
    chmodSync(this.#library, 0o755)
    for (const dir of [this.#root, this.#files, this.#bin]) {
      mkdirSync(dir, { recursive: true })
      // PostgreSQL's account makes its own files here.
      chmodSync(dir, dir === this.#files ? 0o777 : 0o755)
    }
  }

  /** @returns undefined where there is no C compiler */
  static open(): Clocks | undefined {
    try {
      execFileSync('cc', ['--version'], { stdio: 'ignore' })
    } catch {
      return undefined
    }
    return new Clocks()
  }

  environmentOf(name: string): Record<string, string> {
    return { LD_PRELOAD: this.#library, CLOCK_JUMPS: this.#file(name) }
  }

  /** The same programs, but for a `postgres` that has a clock: that of its worker's folder. */
  around(software: Software): Software {
    for (const name of readdirSync(software.postgresBin)) {
      const from = join(software.postgresBin, name)
      const to = join(this.#bin, name)
      if (existsSync(to)) continue
      if (name !== 'postgres') symlinkSync(from, to)
      else {
        writeFileSync(to, this.#wrapper(from))
        chmodSync(to, 0o755)
      }
    }
    return { ...software, postgresBin: this.#bin }
  }

  /** Before or after the real time by so much, at once; 0 sets it right. */
  set(name: string, seconds: number): void {
    const value = Buffer.alloc(FILE_BYTES)
    value.writeBigInt64LE(BigInt(Math.round(seconds)))
    // In place: the file is mapped by those that have this clock.
    const file = openSync(this.#file(name), 'r+')
    writeSync(file, value, 0, FILE_BYTES, 0)
    closeSync(file)
  }

  [Symbol.dispose](): void {
    rmSync(this.#root, { recursive: true, force: true })
  }

  #file(name: string): string {
    const file = join(this.#files, name)
    if (!existsSync(file)) {
      writeFileSync(file, Buffer.alloc(FILE_BYTES))
      chmodSync(file, 0o644)
    }
    return file
  }

  /** It starts in its worker's folder. */
  #wrapper(program: string): string {
    return [
      '#!/bin/sh',
      `export CLOCK_JUMPS="${this.#files}/\${PWD##*/}" LD_PRELOAD=${this.#library}`,
      `[ -e "$CLOCK_JUMPS" ] || head -c ${FILE_BYTES} /dev/zero > "$CLOCK_JUMPS"`,
      `exec ${program} "$@"`,
      ''
    ].join('\n')
  }
}
