// Only until test/docker/stack.test.ts has its new path; see the commit.
export { call } from '../../testing/convoy.ts'
