/**
 * Preloaded into every part: when the supervisor is gone, even by kill -9, the pipe that it held
 * ends, and the part ends as if it had been asked to. So no part is left behind holding its folder.
 */
process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM'));
process.stdin.on('error', () => process.kill(process.pid, 'SIGTERM'));
process.stdin.resume();
if ('unref' in process.stdin) process.stdin.unref();
