/**
 * An alarm of RabbitMQ, raised and cleared at will: its limit becomes one byte, or what it was.
 * It has no port for `rabbitmqctl`, so it looks for a file itself.
 */
import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class MemoryAlarm implements Disposable {
  readonly #file = join(tmpdir(), `convoy-alarm-${randomBytes(6).toString('hex')}`)

  /** For RabbitMQ's `erl`. */
  get args(): readonly string[] {
    const set = (limit: string) => `vm_memory_monitor:set_vm_memory_high_watermark(${limit})`
    const look = `Is = filelib:is_file("${this.#file}")`
    const change = `case {Was, Is} of {false, true} -> ${set('{absolute, 1}')};
      {true, false} -> ${set('{absolute, "1GB"}')}; _ -> ok end`
    return [
      '-eval',
      `spawn(fun() -> (fun Look(Was) -> ${look}, ${change},
      timer:sleep(20), Look(Is) end)(false) end).`
    ]
  }

  raise(): void {
    writeFileSync(this.#file, '')
  }

  clear(): void {
    rmSync(this.#file, { force: true })
  }

  [Symbol.dispose](): void {
    this.clear()
  }
}
