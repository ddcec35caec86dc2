/**
 * A thread that examines statements for examiners.ts, one message of texts after the other.
 * Invariant: however its texts are made, it takes no more than `MEMORY_MAX_BYTES` for a tree,
 * and gives it back.
 */
import { parentPort } from 'node:worker_threads'
import { type Examined, examined } from './examine.ts'
import { openParser } from './parser.ts'

const PAGE_BYTES = 65_536
const MEMORY_MAX_BYTES = 320 * 1024 * 1024
const LARGE_CHARS = 65_536

limitMemory()
const parser = await openParser()

parentPort?.on('message', (sqls: readonly string[]) => void answer(sqls))
parentPort?.postMessage('ready')

async function answer(sqls: readonly string[]): Promise<void> {
  await parser.ready()
  const results: Examined[] = []
  for (const sql of sqls) {
    const result = examined(parser, sql)
    results.push(result)
    if (result.kind !== 'verdict') break // the request is refused for it
    await parser.ready()
  }
  parentPort?.postMessage(results)
  if (sqls.some(sql => sql.length > LARGE_CHARS)) parser.renew()
}

/** The parser asks for memory through this, and says "out of memory" when it gets none. */
function limitMemory(): void {
  const { prototype } = (globalThis as unknown as { WebAssembly: { Memory: MemoryClass } })
    .WebAssembly.Memory
  const { grow } = prototype
  prototype.grow = function (pages) {
    if (this.buffer.byteLength + pages * PAGE_BYTES > MEMORY_MAX_BYTES) {
      throw new RangeError('a parse tree takes too much memory')
    }
    return grow.call(this, pages)
  }
}

/** As far as it is used; its types come with the browser's only. */
interface MemoryClass {
  readonly prototype: {
    readonly buffer: ArrayBuffer
    grow(pages: number): number
  }
}
