import type { NewDevice, Notice, PageOf, Positioned } from './protocol.js';
import type { Query, Rest } from './rest.js';

/** A device that acts for the person. */
export type LinkedDevice = Readonly<{
  deviceId: string;
  name: string;
  platform: string;
  linkedAt: string;
  /** It is this one. */
  current: boolean;
  session?: Readonly<{
    sessionId: string;
    at: string;
    method: 'code' | 'link' | 'approval';
    version?: string;
    place?: string;
    seenAt?: string;
  }>;
}>;

/** Who may see something or do something to the person. */
export type Visibility = 'everyone' | 'nobody';

/** What others may see and do; `login`: what a new device needs. */
export type Privacy = Readonly<
  Record<
    'lastSeen' | 'typing' | 'receipts' | 'about' | 'avatar' | 'adding' | 'writing',
    Visibility
  > & { login: 'code' | 'approval' }
>;

/** Settings that apps keep by dotted names; null takes one away. */
export type Preferences = Readonly<Record<string, string | number | boolean | null>>;

/** A link that was begun: the payload is shown as a QR code, the ticket is kept for the login. */
export type DeviceLink = Readonly<{ payload: string; ticket: string; expiresAt: string }>;

/** One's own account: devices and sessions, privacy, whom one blocks, what happened. */
export class Account {
  constructor(private readonly rest: Rest) {}

  async devices(): Promise<readonly LinkedDevice[]> {
    const { items } = await this.rest.get<PageOf<LinkedDevice>>('/v1/me/devices');
    return items;
  }

  renameDevice(deviceId: string, name: string): Promise<Positioned> {
    return this.rest.send('PATCH', `/v1/me/devices/${deviceId}`, { name });
  }

  /** Lets a device act no longer; its session ends at once. */
  removeDevice(deviceId: string): Promise<Positioned> {
    return this.rest.send('DELETE', `/v1/me/devices/${deviceId}`);
  }

  /** Ends a session; its device stays linked. */
  endSession(sessionId: string): Promise<Positioned> {
    return this.rest.send('DELETE', `/v1/me/sessions/${sessionId}`);
  }

  /** Ends all sessions but this device's. */
  endOtherSessions(): Promise<Positioned> {
    return this.rest.send('DELETE', '/v1/me/sessions');
  }

  /** Begins to link this device: show the payload to one that is logged in. */
  link(device: NewDevice): Promise<DeviceLink> {
    return this.rest.send('POST', '/v1/auth/links', { device });
  }

  /** Lets a device in whose QR code was scanned. */
  approveLink(payload: string): Promise<unknown> {
    return this.rest.send('POST', '/v1/me/approvals', { payload });
  }

  /** Lets a device in that waits (a `login.held` notice told its id), or refuses it. */
  approveLogin(approvalId: string, approve: boolean): Promise<unknown> {
    return this.rest.send('POST', '/v1/me/approvals', { approvalId, approve });
  }

  /** What happened to the account, newest first. */
  security(query: Query = {}): Promise<PageOf<Notice>> {
    return this.rest.get('/v1/me/security', query);
  }

  /** Changes what is given of the profile; an empty text takes it away. */
  changeProfile(
    change: Readonly<{ name?: string; about?: string; avatar?: string }>,
  ): Promise<Positioned> {
    return this.rest.send('PATCH', '/v1/me', change);
  }

  privacy(query: Query = {}): Promise<Privacy> {
    return this.rest.get('/v1/me/privacy', query);
  }

  changePrivacy(change: Partial<Privacy>): Promise<Positioned> {
    return this.rest.send('PATCH', '/v1/me/privacy', change);
  }

  preferences(query: Query = {}): Promise<Preferences> {
    return this.rest.get('/v1/me/preferences', query);
  }

  changePreferences(change: Preferences): Promise<Positioned> {
    return this.rest.send('PATCH', '/v1/me/preferences', change);
  }

  /** Whom the person blocks, by id. */
  async blocks(query: Query = {}): Promise<readonly string[]> {
    const { items } = await this.rest.get<PageOf<string>>('/v1/me/blocks', query);
    return items;
  }

  block(userId: string): Promise<Positioned> {
    return this.rest.send('PUT', `/v1/me/blocks/${userId}`);
  }

  unblock(userId: string): Promise<Positioned> {
    return this.rest.send('DELETE', `/v1/me/blocks/${userId}`);
  }

  /** Goes out of sight until the next login; all sessions end. */
  deactivate(): Promise<Positioned> {
    return this.rest.send('POST', '/v1/me/deactivate', {});
  }

  /** Has the account deleted after its time of grace; all sessions end. */
  delete(): Promise<Positioned> {
    return this.rest.send('DELETE', '/v1/me');
  }
}
