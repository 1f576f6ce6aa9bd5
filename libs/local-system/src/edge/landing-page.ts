import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { requestIdOf } from '@mentorhub/contracts';
import { securityHeaders } from '@mentorhub/http-server';

const style =
  'body{font:1.1rem/1.6 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}';

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>MentorHub</title>
<style>${style}</style>
</head>
<body>
<h1>MentorHub</h1>
<p>The system is running.</p>
<ul>
<li><a href="/docs">API documentation (Swagger UI)</a></li>
<li><a href="/redoc">API reference (ReDoc)</a></li>
<li><a href="/health">Health</a></li>
<li><a href="/dev/mail">Mails it has sent</a> (local profile)</li>
</ul>
</body>
</html>
`;

const styleHash = createHash('sha256').update(style).digest('base64');

const headers = {
  ...securityHeaders,
  'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${styleHash}'; frame-ancestors 'none'; base-uri 'none'`,
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Length': Buffer.byteLength(page),
};

/** Answers `GET /` with the addresses of the system. */
export function sendLandingPage(response: ServerResponse): void {
  response.writeHead(200, { ...headers, 'X-Request-ID': requestIdOf(response.req) });
  response.end(page);
}
