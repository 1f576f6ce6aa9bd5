import { hash } from 'node:crypto';
import { applyDecorators, Header } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { Html, html } from './html.js';

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 40rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { font-size: 1.4rem; }
article { border-top: 1px solid #8886; padding: 1rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dd { margin: 0; }
form { display: inline-block; margin: 1rem .5rem 0 0; }
button { font: inherit; padding: .6rem 1.4rem; border-radius: .4rem; border: 1px solid #8888; cursor: pointer; }
button.main { background: #14532d; color: #fff; border-color: #14532d; }
`;

/** Kept out of the page's template: a single space more, and the policy's hash would not fit. */
const styleElement = new Html(`<style>${style}</style>`);

const pagePolicy = [
  "default-src 'none'",
  `style-src 'sha256-${hash('sha256', style, 'base64')}'`,
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

/** The route answers a page: no scripts, and only the style it brings. */
export const AnswersPage = (description: string): MethodDecorator =>
  AnswersHtml(description, pagePolicy);

/** The route answers HTML under a Content-Security-Policy. */
export const AnswersHtml = (description: string, policy: string): MethodDecorator =>
  applyDecorators(
    Header('content-type', 'text/html; charset=utf-8'),
    Header('content-security-policy', policy),
    ApiResponse({
      status: 200,
      description,
      content: { 'text/html': { schema: { type: 'string' } } },
    }),
  );

/** A whole page. */
export function page(locale: string, title: string, body: Html): string {
  return html`<!doctype html>
    <html lang="${locale}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} · MentorHub</title>
        ${styleElement}
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html> `.toString();
}
