/** Both viewers write style attributes, and Redoc searches in a worker; scripts come from here alone. */
export const documentationPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  'worker-src blob:',
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

/** Where the files of the viewers are served. */
export const swaggerAssets = '/docs/assets/';
export const redocAssets = '/redoc/assets/';

export const swaggerPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>MentorHub API</title>
<link rel="stylesheet" href="${swaggerAssets}swagger-ui.css">
<link rel="icon" type="image/png" href="${swaggerAssets}favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="${swaggerAssets}swagger-ui-bundle.js"></script>
<script src="/docs/init.js"></script>
</body>
</html>
`;

export const swaggerScript = `window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  persistAuthorization: true,
  validatorUrl: null,
});
`;

export const redocPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>MentorHub API</title>
</head>
<body>
<redoc spec-url="/openapi.json"></redoc>
<script src="${redocAssets}redoc.standalone.js"></script>
</body>
</html>
`;
