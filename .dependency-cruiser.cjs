/** The architecture as rules: `domain <- commands, platform <- apps`, one door to each vendor. */
module.exports = {
  forbidden: [
    {
      name: 'domain-is-pure',
      severity: 'error',
      comment: 'libs/domain imports nothing outside itself: no framework, driver or node builtin.',
      from: { path: '^libs/domain/src', pathNot: '\\.spec\\.ts$' },
      to: { pathNot: '^libs/domain/src' },
    },
    {
      name: 'libraries-know-no-app',
      severity: 'error',
      comment: 'Contract suites run their adapters against the embedded servers.',
      from: { path: '^libs', pathNot: '\\.spec\\.ts$' },
      to: { path: '^(apps|tools|embedded)' },
    },
    {
      name: 'platform-knows-no-commands',
      severity: 'error',
      from: { path: '^libs/platform' },
      to: { path: '^libs/(commands|client)' },
    },
    {
      name: 'client-stands-alone',
      severity: 'error',
      comment: 'The SDK runs in a browser: it imports none of the server.',
      from: { path: '^libs/client/src', pathNot: '\\.spec\\.ts$' },
      to: { path: '^(libs/(platform|commands|domain)|apps|embedded|tools)' },
    },
    {
      name: 'proof-stands-alone',
      severity: 'error',
      comment: 'A stranger can take the verifier away: it needs nothing but node:crypto.',
      from: { path: '^libs/proof/src', pathNot: '\\.spec\\.ts$' },
      to: { pathNot: '^(libs/proof/src|crypto$|node:crypto$)' },
    },
    {
      name: 'apps-are-strangers',
      severity: 'error',
      comment: 'Apps meet only in the log and in libs.',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'embedded-servers-know-no-chat',
      severity: 'error',
      from: { path: '^embedded/([^/]+)/src', pathNot: '\\.spec\\.ts$' },
      to: { path: '^(apps|libs|tools|embedded)', pathNot: '^embedded/$1/' },
    },
    {
      name: 'one-door-per-vendor',
      severity: 'error',
      comment: 'Only libs/platform speaks to the drivers; tests, the bench and embedded may too.',
      from: { path: '^(apps|libs)', pathNot: '(^libs/platform/src/|\\.spec\\.ts$)' },
      to: { path: 'node_modules/(@eventstore|mongodb|redis|@google-cloud|firebase-admin)' },
    },
    {
      name: 'testing-only-in-tests',
      severity: 'error',
      from: { pathNot: '(\\.spec\\.ts$|^libs/testing|^test/)' },
      to: { path: '^libs/testing' },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: '(main|leash|\\.spec|\\.d)\\.ts$' },
      to: {},
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      conditionNames: ['source', 'import', 'node', 'default'],
      exportsFields: ['exports'],
    },
  },
};
