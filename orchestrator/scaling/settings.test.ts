import t from 'tap'
import { InvalidRequestError } from '../../platform/errors.ts'
import { SETTINGS } from './fixtures.ts'
import { changed, policyChange, replicasChange } from './settings.ts'

t.test('what an operator changed wins, the rest is as the environment has it', async t => {
  t.strictSame(changed(SETTINGS, {}), SETTINGS)
  t.strictSame(changed(SETTINGS, { max: 9 }), { ...SETTINGS, max: 9 })
})

t.test('what is stored is not believed when it makes no sense', async t => {
  for (const wrong of [{ min: 6 }, { max: 0 }, { policy: 'magic' }, { windowS: '5' }, null, 7]) {
    t.equal(changed(SETTINGS, wrong), undefined)
  }
})

t.test('a count is a fixed one; bounds leave the policy as it is', async t => {
  t.strictSame(replicasChange({ count: 3 }, 2), { policy: 'fixed', count: 3 })
  t.strictSame(replicasChange({ min: 1, max: 1 }, 2), { min: 1, max: 1 })
})

t.test('contradictions are refused', async t => {
  const both = [{}, { min: 1 }, { max: 1 }, { count: 1, min: 1 }, { count: 1, min: 1, max: 2 }]
  for (const wrong of [...both, { min: 3, max: 2 }]) {
    t.throws(() => replicasChange(wrong, 2), InvalidRequestError)
  }
})

t.test('never fewer replicas than a write needs', async t => {
  t.throws(() => replicasChange({ count: 1 }, 3), InvalidRequestError)
  t.throws(() => replicasChange({ min: 1, max: 5 }, 3), InvalidRequestError)
  t.strictSame(replicasChange({ count: 2 }, 3), { policy: 'fixed', count: 2 })
})

t.test('a policy takes its numbers along; fixed keeps what is wanted', async t => {
  t.strictSame(policyChange({ kind: 'window', windowS: 5 }, 4), { policy: 'window', windowS: 5 })
  t.strictSame(policyChange({ kind: 'fixed' }, 4), { policy: 'fixed', count: 4 })
})
