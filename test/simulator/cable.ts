/**
 * The ways between one machine and one server, one for each direction. What is sent
 * over a blocked way stalls, as TCP does, and arrives late, should both ends still be
 * there then.
 */

export class Way {
  blocked = false
  readonly #stalled: (() => void)[] = []

  pass(arrive: () => void): void {
    if (this.blocked) this.#stalled.push(arrive)
    else arrive()
  }

  open(): void {
    this.blocked = false
    for (const arrive of this.#stalled.splice(0)) this.pass(arrive)
  }
}

export class Cable {
  /** From the machine to the server. */
  readonly out = new Way()
  readonly back = new Way()
  /** Of the processes that use it, one after the other. */
  readonly users = new Set<{ contactChanged(): void }>()

  cut(which: 'out' | 'back' | 'both'): void {
    if (which !== 'back') this.out.blocked = true
    if (which !== 'out') this.back.blocked = true
    this.#tell()
  }

  mend(): void {
    if (!this.out.blocked && !this.back.blocked) return
    this.out.open()
    this.back.open()
    this.#tell()
  }

  get whole(): boolean {
    return !this.out.blocked && !this.back.blocked
  }

  #tell(): void {
    for (const user of [...this.users]) user.contactChanged()
  }
}

/** Where processes run: it keeps its cables, whatever becomes of them. */
export class Machine {
  /** How far its wall clock has been set ahead, or back. */
  jumpedMs = 0
  readonly name: string
  readonly rabbit = new Cable()
  readonly zookeeper = new Cable()

  constructor(name: string) {
    this.name = name
  }
}
