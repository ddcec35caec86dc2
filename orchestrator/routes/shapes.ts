/**
 * The shapes of answers, for the API description. Database answers are a worker's own
 * bytes and are sent as they are: these describe them and touch nothing.
 */
import Type from 'typebox'
import { WORKER_ROLES } from '../../wire/znodes.ts'
import { WHYS } from '../obstacles.ts'

const Rows = Type.Array(Type.Record(Type.String(), Type.Unknown()), {
  description: 'Objects by column name; 64-bit integers and numerics are strings'
})

export const WriteAnswer = Type.Object(
  {
    requestId: Type.String(),
    index: Type.Integer({ description: 'Place in the log; the `minIndex` of a session read' }),
    term: Type.Integer(),
    results: Type.Array(Type.Object({ rowCount: Type.Integer(), rows: Rows }))
  },
  { description: 'Committed, and held by enough workers' }
)

export const ReadAnswer = Type.Object(
  {
    index: Type.Integer({ description: 'Of the last log entry that the answer has seen' }),
    workerId: Type.String(),
    fields: Type.Array(Type.Object({ name: Type.String(), type: Type.String() })),
    rows: Rows
  },
  { description: 'The rows' }
)

const Nullable = Type.Union([Type.String(), Type.Null()])

const Stuck = Type.Object({
  why: Type.Enum([...WHYS]),
  message: Type.String(),
  missing: Type.Array(
    Type.Object({
      id: Type.String(),
      goneForMs: Type.Integer(),
      last: Type.Union([Type.Object({ index: Type.Integer(), term: Type.Integer() }), Type.Null()])
    })
  )
})

const ReplicasNow = {
  count: Type.Union([Type.Integer(), Type.Null()], { description: 'Where it is fixed' }),
  min: Type.Integer(),
  max: Type.Integer()
}

const PolicyNow = {
  kind: Type.String(),
  windowS: Type.Integer(),
  readsPerReplica: Type.Integer(),
  readsPerS: Type.Integer(),
  coolDownS: Type.Integer()
}

const Decision = Type.Object({
  at: Type.String(),
  policy: Type.String(),
  from: Type.Integer(),
  to: Type.Integer(),
  reason: Type.String()
})

export const SettingsAnswer = Type.Object(
  { replicas: Type.Object(ReplicasNow), policy: Type.Object(PolicyNow) },
  { description: 'The settings from now on' }
)

const Scrub = Type.Object({
  pages: Type.Object({ read: Type.Integer(), of: Type.Integer(), passAt: Nullable }),
  entries: Type.Object({ read: Type.Integer(), passAt: Nullable }),
  damage: Type.Array(Type.String())
})

export const ClusterAnswer = Type.Object(
  {
    clusterId: Nullable,
    term: Type.Integer(),
    master: Nullable,
    inSync: Type.Array(Type.String()),
    minCopies: Type.Integer(),
    stuck: Type.Union([Stuck, Type.Null()], {
      description: 'Why writes cannot succeed, where that lasts longer than a failover'
    }),
    keepDiverged: Type.Boolean({
      description: 'Workers with entries that a recovery gave up keep their data'
    }),
    commitIndex: Type.Integer(),
    workers: Type.Array(
      Type.Object({
        id: Type.String(),
        pid: Type.Integer(),
        host: Type.String(),
        role: Type.Enum([...WORKER_ROLES]),
        term: Type.Integer(),
        inSync: Type.Boolean(),
        frozen: Type.Boolean({ description: 'By an operator: it takes no reads' }),
        index: Type.Integer(),
        lag: Type.Integer({ description: 'Log entries behind the furthest in-sync worker' }),
        readsPerS: Type.Number(),
        cpuPercent: Type.Number(),
        memoryMiB: Type.Number(),
        keptMiB: Type.Union([Type.Number(), Type.Null()], {
          description: 'Of data that is kept since a recovery, until `convoy recover --forget`'
        }),
        reachesAmqp: Type.Boolean(),
        diverged: Type.Boolean(),
        trouble: Nullable,
        copying: Type.Union(
          [
            Type.Object({
              donor: Type.String(),
              since: Type.String(),
              percent: Type.Integer({ description: 'About, of the data to be copied' })
            }),
            Type.Null()
          ],
          { description: 'The copy that it makes now' }
        ),
        scrub: Type.Union([Scrub, Type.Null()], {
          description: 'How far it has looked for damaged pages and log entries'
        }),
        since: Type.String()
      })
    ),
    replicas: Type.Object({
      ...ReplicasNow,
      wanted: Type.Integer(),
      actual: Type.Integer()
    }),
    policy: Type.Object({
      ...PolicyNow,
      rule: Type.String({ description: 'In one sentence' }),
      decision: Type.Union([Decision, Type.Null()]),
      reads: Type.Integer({ description: 'Counted towards the next decision so far' }),
      next: Type.Union([Type.String(), Type.Null()], {
        description: 'When the next decision falls, if that is known'
      })
    }),
    supervisor: Nullable,
    orchestrators: Type.Array(
      Type.Object({
        id: Type.String(),
        http: Type.String(),
        pid: Type.Integer(),
        frozen: Type.Boolean({ description: 'By an operator: it takes no calls of the database' })
      })
    )
  },
  { description: 'About a second old' }
)
