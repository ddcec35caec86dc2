import t from 'tap'
import { ClientWindows } from './client-windows.ts'

const MOST = 256
const soon = (windows: ClientWindows, client: string, times: number) => {
  for (let i = 0; i < times; i++) {
    windows.took(client, { sentAtMs: 0, nowMs: 10, inFlight: 1, most: MOST })
  }
}

t.test('what is answered soon opens the window, up to the limit', async t => {
  const windows = new ClientWindows()
  t.equal(windows.sizeOf('a', MOST), 32)
  soon(windows, 'a', 8)
  t.equal(windows.sizeOf('a', MOST), 40)
  soon(windows, 'a', 1_000)
  t.equal(windows.sizeOf('a', MOST), MOST)
  t.equal(windows.sizeOf('b', MOST), 32, 'others have their own')
  t.equal(windows.sizeOf('a', 2), 2)
})

t.test('what is late halves it once, and not for each that was sent before', async t => {
  const windows = new ClientWindows()
  const late = (sentAtMs: number, nowMs: number) =>
    windows.took('a', { sentAtMs, nowMs, inFlight: 32, most: MOST })
  late(0, 1_500)
  late(100, 1_600)
  t.equal(windows.sizeOf('a', MOST), 16)
  late(1_500, 3_000)
  t.equal(windows.sizeOf('a', MOST), 8)
  for (let atMs = 3_000; atMs < 20_000; atMs += 2_000) late(atMs, atMs + 2_000)
  t.equal(windows.sizeOf('a', MOST), 4, 'and never below a few')
})

t.test('slow writes of one client are answered in time, however many it asks for', async t => {
  // Each takes 500 ms, one after the other, and has 10 s.
  const windows = new ClientWindows()
  const inFlight: number[] = []
  const tookMs: number[] = []
  for (let nowMs = 0; nowMs < 120_000; nowMs += 500) {
    while (inFlight.length < windows.sizeOf('a', MOST)) inFlight.push(nowMs)
    const sentAtMs = inFlight.shift() as number
    if (nowMs > 30_000) tookMs.push(nowMs + 500 - sentAtMs)
    windows.took('a', { sentAtMs, nowMs: nowMs + 500, inFlight: inFlight.length + 1, most: MOST })
  }
  t.ok(Math.max(...tookMs) < 5_000, `${Math.max(...tookMs)} ms`)
})
