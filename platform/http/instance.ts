/**
 * A bare fastify instance as Convoy uses it: limits, error replies and types, without a
 * route or a hook. `openHttp` adds what every service has; parts of that take this type.
 */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { LogController } from 'fastify'
import type { Logger } from '../log.ts'
import type { Certificate } from '../security/tls.ts'
import { EDGES, pathOf } from './edges.ts'
import { replyWithError, validationError } from './replies.ts'
import { requestIdOf } from './request-id.ts'
import { answerUnreadable } from './unreadable.ts'

export interface InstanceOptions {
  readonly log: Logger
  readonly bodyLimit: number
  /** Only TLS is taken where there is one. */
  readonly certificate?: Certificate | undefined
}

export type Http = ReturnType<typeof openInstance>

export function openInstance({ log, bodyLimit, certificate }: InstanceOptions) {
  return Fastify({
    ...secured(certificate),
    rewriteUrl: pathOf,
    loggerInstance: log,
    bodyLimit,
    requestIdHeader: false,
    genReqId: ({ headers }) => requestIdOf(headers),
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: 'requestId'
    }),
    forceCloseConnections: 'idle',
    // What comes while it closes, on connections that are open, is answered as ever.
    return503OnClosing: false,
    frameworkErrors: replyWithError,
    clientErrorHandler: answerUnreadable,
    schemaErrorFormatter: validationError,
    // A username of 1,000 characters is up to 12,000 bytes in a path.
    routerOptions: { maxParamLength: 16_384 },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } }
  }).withTypeProvider<TypeBoxTypeProvider>()
}

/** Untyped: a server of either kind is used alike. */
const secured = (certificate: Certificate | undefined): object =>
  certificate === undefined ? { http: EDGES } : { https: { ...EDGES, ...certificate } }
