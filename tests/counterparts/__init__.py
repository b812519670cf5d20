"""Our real adapters against providers' stand-ins that others made: ``make test-counterparts``.

They need Node.js and, the first time, the npm registry, so the plain test run leaves them out.

- Prism (https://github.com/stoplightio/prism) plays Twilio by Twilio's own OpenAPI documents, which come out of
  ``@twilio-alpha/mcp``, the one package of Twilio's in a registry that carries them.
- web-push-testing (https://github.com/marc1706/web-push-testing) plays a browser's push service and decrypts.

``package-lock.json`` pins all of it, by hash and without naming a registry. To renew it, change ``package.json`` and
run ``npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved`` there.
"""
