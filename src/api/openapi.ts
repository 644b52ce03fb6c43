import { z } from "zod";
import type { Route } from "./route.ts";

/** Some say more (RFC 9457: extension members). */
const problemSchema = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

const KEYS =
  "A workspace's API key with the scope that the call names, or ADMIN_TOKEN where it says so. " +
  "Scopes: read, send, manage, approve, audit; none includes another.";

/** The OpenAPI 3.1 description of the routes, made from what they check and answer. */
export function describeRoutes(routes: Route[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] ??= {};
    paths[path][route.method] = {
      summary: route.summary,
      // OpenAPI 3.1: roles are named for every kind of scheme.
      security: [{ bearer: route.auth === "admin" ? ["admin"] : [route.scope] }],
      description: needs(route),
      parameters: [...parameters(route.params, "path"), ...parameters(route.query, "query")],
      ...requestBody(route),
      responses: {
        [route.success.status]: {
          description: "Done",
          content: contentOf(
            route.success.contentTypes ?? ["application/json"],
            schemaOf(route.success.schema, "output"),
          ),
        },
        default: {
          description: "What went wrong",
          content: { "application/problem+json": { schema: schemaOf(problemSchema, "output") } },
        },
      },
    };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Heliograph", version: "1" },
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer", description: KEYS } },
    },
    paths,
  };
}

/** In words: whose call it is, and what their key must be allowed. */
export function needs(route: Route): string {
  if (route.auth === "admin") return "Needs ADMIN_TOKEN.";
  const key = `Needs a workspace's key with the scope \`${route.scope}\``;
  return route.auth === "either" ? `${key}, or ADMIN_TOKEN.` : `${key}.`;
}

function requestBody(route: Route): Record<string, unknown> {
  const file = route.rawBody ?? route.bodyStream;
  if (file !== undefined) {
    const content = contentOf(file.contentTypes, { type: "string" });
    return { requestBody: { required: true, content } };
  }
  if (route.body === undefined) return {};
  const content = contentOf(["application/json"], schemaOf(route.body, "input"));
  return { requestBody: { required: true, content } };
}

const contentOf = (types: readonly string[], schema: unknown) =>
  Object.fromEntries(types.map((type) => [type, { schema }]));

function schemaOf(schema: z.ZodType, io: "input" | "output"): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest as Record<string, unknown>;
}

function parameters(schema: z.ZodType | undefined, place: "path" | "query"): unknown[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(schema, "input") as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    schema: property,
  }));
}
