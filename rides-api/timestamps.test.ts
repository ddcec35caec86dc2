import t from 'tap'
import { InvalidTimestampError } from './errors.ts'
import { clockOf } from './timestamps.ts'

const seconds = (iso: string) => Date.parse(iso) / 1_000

t.test('seconds come before minutes, and minutes before hours', async t => {
  const clock = clockOf('UTC')
  t.equal(clock.secondsOf('22-11-2026:59-04-03'), seconds('2026-11-22T03:04:59Z'))
  t.equal(clock.secondsOf('29-02-2028:00-00-00'), seconds('2028-02-29T00:00:00Z'))
  t.equal(clock.secondsOf('01-01-0001:00-00-00'), seconds('0001-01-01T00:00:00Z'))
  t.equal(clock.secondsOf('31-12-9999:59-59-23'), seconds('9999-12-31T23:59:59Z'))
})

t.test('dates and times that do not exist are refused', async t => {
  const clock = clockOf('UTC')
  const wrong = [
    '30-02-2026:00-00-00',
    '29-02-2027:00-00-00',
    '00-01-2026:00-00-00',
    '01-13-2026:00-00-00',
    '01-01-0000:00-00-00',
    '01-01-2026:60-00-00',
    '01-01-2026:00-60-00',
    '01-01-2026:00-00-24'
  ]
  for (const timestamp of wrong) {
    t.throws(() => clock.secondsOf(timestamp), InvalidTimestampError, timestamp)
  }
})

t.test('any other form is refused', async t => {
  const clock = clockOf('UTC')
  const wrong = [
    '',
    '1-01-2026:00-00-00',
    '01-01-26:00-00-00',
    '01/01/2026:00-00-00',
    '01-01-2026 00-00-00',
    ' 01-01-2026:00-00-00',
    '01-01-2026:00-00-00\n',
    '2026-01-01T00:00:00Z'
  ]
  for (const timestamp of wrong) {
    t.throws(() => clock.secondsOf(timestamp), InvalidTimestampError, timestamp)
  }
})

t.test('a timestamp is read on the clocks of the zone', async t => {
  t.equal(clockOf('Asia/Kolkata').secondsOf('01-06-2026:00-30-05'), seconds('2026-06-01T00:00:00Z'))
  const berlin = clockOf('Europe/Berlin')
  t.equal(berlin.secondsOf('01-07-2026:00-00-12'), seconds('2026-07-01T10:00:00Z'))
  t.equal(berlin.secondsOf('01-12-2026:00-00-12'), seconds('2026-12-01T11:00:00Z'))
})

t.test(
  'where clocks change, a skipped time is an hour later and a repeated one the first',
  async t => {
    const berlin = clockOf('Europe/Berlin')
    t.equal(berlin.secondsOf('29-03-2026:00-30-02'), seconds('2026-03-29T01:30:00Z'))
    t.equal(berlin.secondsOf('25-10-2026:00-30-02'), seconds('2026-10-25T00:30:00Z'))
  }
)

t.test('an unknown zone is refused at the start', async t => {
  t.throws(() => clockOf('Mars/Olympus'), RangeError)
})
