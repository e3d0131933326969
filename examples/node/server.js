'use strict';

// Answers on $PORT with a greeting from its config.
const polka = require('polka');

const greeting = process.env.GREETING || 'Hello from Node.js';
const port = process.env.PORT || 8080;

const app = polka()
  .get('/', (request, response) => {
    response.setHeader('Content-Type', 'text/plain; charset=utf-8');
    response.end(`${greeting}\n`);
  })
  .listen(port, () => console.log(`listening on ${port}`));

// The first process of a container ends on TERM only if it says so.
process.on('SIGTERM', () => {
  app.server.close(() => process.exit(0));
  app.server.closeIdleConnections();
});
