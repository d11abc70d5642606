/**
 * Loaded before a part's own program: the supervisor holds the other end of standard input, and
 * when it is gone the part ends in order, so that nothing is left behind holding ports and folders.
 */
process.stdin.resume();
process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM'));
process.stdin.on('error', () => process.kill(process.pid, 'SIGTERM'));
