import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Anonymous } from '../authentication/access.decorators.js';
import { AnswersHtml } from '../pages/page.js';
import { Conditional } from '../routing/conditional.decorator.js';
import { Summary } from '../routing/summary.decorator.js';
import { ApiDocument } from './api-document.js';
import { documentationPolicy, redocPage, swaggerPage, swaggerScript } from './docs.pages.js';

@ApiTags('Documentation')
@Controller()
export class DocsController {
  constructor(private readonly document: ApiDocument) {}

  @Get('openapi.json')
  @Anonymous()
  @Conditional()
  @Summary('Show this document')
  @Header('content-type', 'application/json; charset=utf-8')
  @ApiResponse({
    status: 200,
    description: 'OpenAPI 3.1.',
    content: { 'application/json': { schema: { type: 'object' } } },
  })
  openApi(): Buffer {
    return this.document.json();
  }

  @Get('docs')
  @Anonymous()
  @Summary('Try the API in Swagger UI')
  @AnswersHtml('A page.', documentationPolicy)
  swagger(): string {
    return swaggerPage;
  }

  @Get('docs/init.js')
  @Anonymous()
  @ApiExcludeEndpoint()
  @Header('content-type', 'text/javascript; charset=utf-8')
  swaggerInit(): string {
    return swaggerScript;
  }

  @Get('redoc')
  @Anonymous()
  @Summary('Read the API in Redoc')
  @AnswersHtml('A page.', documentationPolicy)
  redoc(): string {
    return redocPage;
  }
}
