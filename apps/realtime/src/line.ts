/**
 * A client's connection as the door sees it. A Socket.IO socket is one as it stands; a simulation
 * brings its own.
 */
export type Line = Readonly<{
  id: string;
  conn: Readonly<{
    /** Writes a finished packet. */
    write: (packet: string, options: object) => unknown;
  }>;
  /** Sends an event. */
  emit: (name: string, argument: object) => unknown;
  /** Closes the connection under it too. */
  disconnect: (close: true) => unknown;
}>;
