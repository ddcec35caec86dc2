/**
 * The runtime controls: what an operator changes on running instances, of which each
 * answer lists who has taken it. docs/controls.md has them all.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import {
  Controls,
  LaneControls,
  LogLevel,
  Service,
  WorkerControls
} from '../../platform/controls/shapes.ts'
import { refusals } from '../../platform/http/openapi.ts'
import { needs, VIEW } from '../../platform/security/access.ts'
import type { ClusterView } from '../cluster-view.ts'
import { withLogLevel, withNumbers } from '../controls/changes.ts'
import type { ControlRoom } from '../controls/control-room.ts'

export interface ControlsRouteOptions {
  readonly room: ControlRoom
}

const orNull = <T extends Type.TSchema>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]))
const body = <P extends Type.TProperties>(properties: P, example: object) =>
  Type.Object(properties, { additionalProperties: false, examples: [example] })

const LogBody = body(
  { service: Service, level: Type.Union([LogLevel, Type.Null()]) },
  { service: 'worker', level: 'debug' }
)
const WorkersBody = body(
  {
    readsInParallel: orNull(WorkerControls.readsInParallel),
    connections: orNull(WorkerControls.connections)
  },
  { readsInParallel: 64, connections: 6 }
)
const LanesBody = body(
  { batch: orNull(LaneControls.batch), inFlight: orNull(LaneControls.inFlight) },
  { batch: 128, inFlight: 8 }
)
const InstanceName = Type.String({ minLength: 1, maxLength: 100, description: 'its id or pid' })
const FreezeBody = body(
  { instance: InstanceName, force: Type.Optional(Type.Boolean()) },
  { instance: '24584' }
)
const StartBody = body({ instance: InstanceName }, { instance: '24584' })
const OperationBody = body(
  { operation: Type.String({ minLength: 1, maxLength: 100 }) },
  { operation: 'rides.create' }
)

const Instances = Type.Array(
  Type.Object({ id: Type.String(), service: Service, pid: Type.Integer() })
)
export const ChangedAnswer = Type.Object(
  {
    version: Type.Integer({ description: 'Of `/config`' }),
    controls: Controls,
    acknowledged: Instances,
    missing: Instances
  },
  { description: 'Stored; who has taken it, and who has not said so within 2 s' }
)

const about = { tags: ['controls'], security: needs('admin') }
const response = { 200: ChangedAnswer, ...refusals(400, 401, 403, 404, 409, 415, 500, 503, 504) }

export const controlsRoutes: FastifyPluginAsyncTypebox<ControlsRouteOptions> = async (
  app,
  { room }
) => {
  const schemaOf = <B extends Type.TSchema>(summary: string, body: B) => {
    return { ...about, summary, body, response }
  }
  app.put(
    '/api/v1/controls/log',
    { schema: schemaOf('Sets the log level of a service', LogBody) },
    ({ body }) => room.change(withLogLevel(body.service, body.level))
  )
  app.put(
    '/api/v1/controls/workers',
    { schema: schemaOf('Sets what each worker does at once', WorkersBody) },
    ({ body }) => room.change(withNumbers('workers', body))
  )
  app.put(
    '/api/v1/controls/lanes',
    { schema: schemaOf("Sets the sizes of the orchestrators' lanes", LanesBody) },
    ({ body }) => room.change(withNumbers('lanes', body))
  )
  app.post(
    '/api/v1/controls/freeze',
    { schema: schemaOf('An instance finishes what it has and takes no more', FreezeBody) },
    ({ body }) => room.freeze(body.instance, { force: body.force ?? false })
  )
  app.post(
    '/api/v1/controls/start',
    { schema: schemaOf('A frozen instance takes work again', StartBody) },
    ({ body }) => room.start(body.instance)
  )
  app.post(
    '/api/v1/controls/disable',
    { schema: schemaOf('Switches an operation off', OperationBody) },
    ({ body }) => room.disable(body.operation)
  )
  app.post(
    '/api/v1/controls/enable',
    { schema: schemaOf('Switches an operation on again', OperationBody) },
    ({ body }) => room.enable(body.operation)
  )
}

const ControlsAnswer = Type.Object(
  {
    version: Type.Integer({ description: 'The newest that any instance has taken' }),
    controls: Controls,
    instances: Type.Array(
      Type.Object({
        id: Type.String(),
        service: Service,
        pid: Type.Integer(),
        version: Type.Integer({ description: 'Of `/config`, as this one has taken it' }),
        frozen: Type.Boolean()
      })
    )
  },
  { description: 'In force, and who has taken it' }
)

const OperationsAnswer = Type.Array(
  Type.Object({ name: Type.String(), services: Type.Array(Service), enabled: Type.Boolean() }),
  { description: 'By name' }
)

/** What may be seen without a token, as the cluster may. */
export const controlsView: FastifyPluginAsyncTypebox<
  ControlsRouteOptions & { readonly view: Pick<ClusterView, 'now'> }
> = async (app, { room, view }) => {
  const seen = { tags: ['controls'], security: VIEW }
  const refused = refusals(401, 403)
  app.get(
    '/api/v1/controls',
    { schema: { ...seen, summary: 'All controls', response: { 200: ControlsAnswer, ...refused } } },
    () => {
      const { controls } = room
      const instances = [...view.now.instances].map(([id, { service, pid, version }]) => {
        return { id, service, pid, version, frozen: Object.hasOwn(controls.frozen, id) }
      })
      const version = Math.max(-1, ...instances.map(one => one.version))
      return { version, controls, instances }
    }
  )
  app.get(
    '/api/v1/controls/operations',
    {
      schema: {
        ...seen,
        summary: 'What can be disabled',
        response: { 200: OperationsAnswer, ...refused }
      }
    },
    () => room.operations
  )
}
