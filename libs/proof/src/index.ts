export * from './canonical.js';
export * from './export-check.js';
export * from './export-lines.js';
export * from './heads.js';
export * from './kept-tree.js';
export * from './leaves.js';
export * from './links.js';
export * from './merkle.js';
