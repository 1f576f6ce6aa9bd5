import type { INestApplication } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { ACCESS_TOKEN } from '../authentication/access.decorators.js';
import { ErrorBody } from '../http/errors/error-body.js';
import { addAnswerHeaders } from './answer-headers.js';
import { addErrorAnswers } from './error-answers.js';
import { toJsonSchema } from './json-schema.js';

const description = `
REST API of MentorHub. Its conventions:

- JSON in \`snake_case\`; times are RFC 3339 in UTC; money is in major units beside a \`currency\`.
- A trailing slash is accepted on every route.
- Lists take \`page\` (from 1) and \`limit\` (or \`size\`) and answer \`{items, total, page, pages}\`.
- Every error has the same body, \`ErrorBody\`; programs rely on its \`code\`.
- Every answer carries \`X-Request-ID\`: the client's own if it sent one of up to 128 letters, digits, \`.\`, \`_\`, \`-\`.
- \`Accept-Language\` chooses between \`en\` and \`ru\` where texts are made.
`;

/** The OpenAPI document, made on the first request for it: most processes never need it. */
@Injectable()
export class ApiDocument {
  private app?: INestApplication;
  private bytes?: Buffer;

  /** The application whose routes are described. */
  describe(app: INestApplication): void {
    this.app = app;
  }

  /** The document as JSON. */
  json(): Buffer {
    return (this.bytes ??= Buffer.from(JSON.stringify(this.build())));
  }

  private build(): OpenAPIObject {
    if (!this.app) throw new Error('describe() must be called before the document is requested.');
    const config = new DocumentBuilder()
      .setOpenAPIVersion('3.1.0')
      .setTitle('MentorHub')
      .setDescription(description)
      .setVersion('1')
      .setLicense('MIT', 'https://opensource.org/license/mit')
      .addBearerAuth(
        { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The access token.' },
        ACCESS_TOKEN,
      )
      .addBearerAuth(
        { type: 'http', scheme: 'bearer', description: 'The refresh token.' },
        'refresh_token',
      )
      .build();
    const document = SwaggerModule.createDocument(this.app, config, {
      extraModels: [ErrorBody],
      operationIdFactory: (controller, method) =>
        `${controller.replace(/Controller$/, '')}_${method}`,
    });
    addErrorAnswers(document);
    addAnswerHeaders(document);
    return toJsonSchema(document);
  }
}
