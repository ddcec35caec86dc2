import t from 'tap'
import { packedTexts, paramText, rowFields, textArray } from './text.ts'

t.test('a row text is split into its fields', async t => {
  t.strictSame(rowFields('(1)'), ['1'])
  t.strictSame(rowFields('(1,,x)'), ['1', null, 'x'])
  t.strictSame(rowFields('("a ""b"", \\\\c",",)","")'), ['a "b", \\c', ',)', ''])
  t.strictSame(rowFields('(,"")'), [null, ''])
  t.strictSame(rowFields('("",)'), ['', null])
  t.strictSame(rowFields('("two\nlines",x)'), ['two\nlines', 'x'])
})

t.test('texts become an array literal', async t => {
  t.equal(textArray([]), '{}')
  t.equal(textArray(['a', null, 'NULL', '']), '{"a",NULL,"NULL",""}')
  t.equal(textArray(['q"\\']), '{"q\\"\\\\"}')
})

t.test('texts are packed as PostgreSQL sends arrays itself', async t => {
  const hex = (values: (string | null)[]) => packedTexts(values).toString('hex')
  t.equal(hex(['é', null]), '000000010000000100000019000000020000000100000002c3a9ffffffff')
  t.equal(hex([]), '0000000100000000000000190000000000000001')
})

t.test('a parameter becomes text', async t => {
  t.equal(paramText(null), null)
  t.equal(paramText(1.5), '1.5')
  t.equal(paramText(false), 'false')
  t.equal(paramText({ a: [1] }), '{"a":[1]}')
  t.equal(paramText([1, [null, 'x'], { a: 1 }]), '{"1",{NULL,"x"},"{\\"a\\":1}"}')
})
