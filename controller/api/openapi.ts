// The API described by itself, at /openapi.json: every route with its summary, and the schema by which its body is read.
// It must not know what routes there are.
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ESPALIER_VERSION } from '../../protocol/version.ts';
import { publishedList } from './fields.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** what the route is for, in a line */
    summary?: string;
    /** what its body is read by */
    body?: z.ZodType;
  }
}

interface Route {
  summary: string;
  body: z.ZodType | undefined;
}

const ERROR = { description: 'What went wrong and how to solve it, in the form of the dialect' };

/** Collects the routes that are added after it. */
export class OpenApi {
  /** methods by path */
  readonly #paths = new Map<string, Map<string, Route>>();
  #document: object | undefined;

  constructor(app: FastifyInstance) {
    app.addHook('onRoute', ({ url, method, config }) => {
      const path = url.replace(/\*|:id/, '{id}');
      const methods = this.#paths.get(path) ?? new Map<string, Route>();
      for (const name of [method].flat()) {
        if (name === 'HEAD') continue;
        methods.set(name.toLowerCase(), { summary: config?.summary ?? '', body: config?.body });
      }
      if (methods.size > 0) this.#paths.set(path, methods);
    });
  }

  /** OpenAPI 3.1. */
  document(): object {
    this.#document ??= {
      openapi: '3.1.0',
      info: { title: 'Espalier', version: ESPALIER_VERSION },
      paths: Object.fromEntries([...this.#paths].map(([path, methods]) => [path, pathItem(path, methods)])),
    };
    return this.#document;
  }
}

function pathItem(path: string, methods: ReadonlyMap<string, Route>): object {
  const operations = [...methods].map(([method, { summary, body }]) => [
    method,
    {
      operationId: `${method}${path.replaceAll(/[^\w]+/g, '_')}`,
      summary,
      ...(body && {
        requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body) } } },
      }),
      responses: { 200: { description: 'The answer' }, '4XX': ERROR, '5XX': ERROR },
    },
  ]);
  const id = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };
  return { ...(path.includes('{id}') && { parameters: [id] }), ...Object.fromEntries(operations) };
}

/** What a client may send: what comes before our own translation. */
function schemaOf(body: z.ZodType): object {
  const { $schema, ...schema } = z.toJSONSchema(body, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const element = publishedList(zodSchema);
      if (element) jsonSchema.items = schemaOf(element) as typeof jsonSchema;
    },
  });
  return schema;
}
