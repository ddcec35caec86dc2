// Only until test/docker/stack.test.ts has its new path; see the commit.
export { read } from '../../testing/cluster/database.ts'
