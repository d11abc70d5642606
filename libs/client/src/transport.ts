import { io } from 'socket.io-client';

/** What an end of a wire is told. */
export type WireListener = Readonly<{
  /** The server has sent an event. */
  event: (name: string, argument: unknown) => void;
  /** The server did not let the wire in, or cannot be reached. */
  refused: (error: Error & { data?: object }) => void;
  /** The wire was open and is gone. */
  closed: (reason: string) => void;
}>;

/** One connection to the server: events both ways, in order, each at most once. */
export type Wire = Readonly<{
  isOpen: () => boolean;
  /** Sends an event; `answered` is called at the very moment of its answer. */
  emit: (name: string, payload: object, answered?: (answer: never) => void) => void;
  /** Breaks the connection as a network would. */
  cut: () => void;
  /** Lets go of it; nothing is told any more. */
  close: () => void;
}>;

/** Where to connect, what to show there, and how long to try. */
export type Handshake = Readonly<{ url: string; auth: object; timeoutMs: number }>;

/** Opens wires: Socket.IO, or what a simulation brings. */
export type Transport = (to: Handshake, listener: WireListener) => Wire;

/** Wires over Socket.IO, by WebSocket only; connecting anew is the link's affair. */
export const socketIo: Transport = ({ url, auth, timeoutMs }, listener) => {
  const socket = io(url, {
    path: '/socket.io',
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    autoConnect: false,
    timeout: timeoutMs,
    auth,
  });
  socket.onAny(listener.event);
  socket.on('disconnect', listener.closed);
  socket.on('connect_error', listener.refused);
  socket.connect();
  return {
    isOpen: () => socket.connected,
    emit: (name, payload, answered) => {
      if (answered) socket.emit(name, payload, answered);
      else socket.emit(name, payload);
    },
    cut: () => {
      socket.io.engine?.transport?.close();
    },
    close: () => {
      socket.offAny();
      socket.off();
      socket.disconnect();
    },
  };
};
