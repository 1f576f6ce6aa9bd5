import type { OpenAPIObject } from '@nestjs/swagger';

/** The headers that say something to programs; those that protect browsers are left out. */
const headers = {
  'X-Request-ID': {
    description: "Names this request in the logs: the client's own id if it sent a usable one.",
    schema: { type: 'string' },
  },
  'Retry-After': {
    description: 'After how many seconds to try again.',
    schema: { type: 'integer', minimum: 0 },
  },
  'WWW-Authenticate': {
    description: 'How to sign in: `Bearer`.',
    schema: { type: 'string' },
  },
  ETag: {
    description: 'Names this state of the resource; send it back as `If-None-Match`.',
    schema: { type: 'string' },
  },
  Location: {
    description: 'The page to go to.',
    schema: { type: 'string', format: 'uri-reference' },
  },
} as const;

type HeaderName = keyof typeof headers;

const ofStatus: Readonly<Record<string, HeaderName[]>> = {
  303: ['Location'],
  304: ['ETag'],
  401: ['WWW-Authenticate'],
  429: ['Retry-After'],
  503: ['Retry-After'],
};

/** Adds to every answer the headers it is sent with. */
export function addAnswerHeaders(document: OpenAPIObject): void {
  document.components = { ...document.components, headers };
  for (const item of Object.values(document.paths)) {
    for (const { responses } of [item.get, item.put, item.post, item.patch, item.delete].flatMap(
      (operation) => operation ?? [],
    )) {
      const isConditional = '304' in responses;
      for (const [status, response] of Object.entries(responses)) {
        if (!response || '$ref' in response) continue;
        const names: HeaderName[] = ['X-Request-ID', ...(ofStatus[status] ?? [])];
        if (isConditional && status === '200') names.push('ETag');
        response.headers = Object.fromEntries(
          names.map((name) => [name, { $ref: `#/components/headers/${name}` }]),
        );
      }
    }
  }
}
