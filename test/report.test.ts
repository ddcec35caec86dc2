import t from 'tap'
import { TapReport, totalsLine } from './report.ts'

function reported(text: string): { shown: string[]; last: string } {
  const report = new TapReport()
  const shown = text.split('\n').flatMap(line => report.read(line) ?? [])
  return { shown, last: totalsLine(report.totals) }
}

t.test('a file that passes is one line, and its top-level tests are counted', async t => {
  const { shown, last } = reported(`TAP version 14
# Subtest: a.test.ts
    # Subtest: outer
        ok 1 - an assertion
        1..1
    ok 1 - outer # time=1ms
    ok 2 - another
    1..2
ok 1 - a.test.ts # time=1500ms`)
  t.strictSame(shown, ['  ok      a.test.ts (2 tests, 1.5 s)'])
  t.equal(last, '2 passed, 0 failed')
})

t.test(
  'a failure is shown with its difference and place, not with successes or source',
  async t => {
    const { shown, last } = reported(`# Subtest: a.test.ts
    ok 1 - fine
    not ok 2 - broken
      ---
      diff: |
        -1
        +2
      at:
        fileName: a.test.ts
      source: >
        t.equal(1, 2)

        --^
      ...
    1..2
not ok 1 - a.test.ts # time=20ms`)
    t.match(shown[0], /FAILED {2}a\.test\.ts/)
    t.match(shown[0], 'not ok 2 - broken')
    t.match(shown[0], 'fileName: a.test.ts')
    t.notMatch(shown[0], 't.equal')
    t.notMatch(shown[0], 'fine')
    t.equal(last, '1 passed, 1 failed')
  }
)

t.test('a file that fails without a failed test counts as one failure', async t => {
  const { last } = reported('# Subtest: a.test.ts\n    1..0\nnot ok 1 - a.test.ts # time=2ms')
  t.equal(last, '0 passed, 1 failed')
})

t.test('a skipped test is neither passed nor failed', async t => {
  const { last } = reported(`# Subtest: a.test.ts
    ok 1 - later # SKIP no reason
    1..1
ok 1 - a.test.ts # time=2ms`)
  t.equal(last, '0 passed, 0 failed')
})
