import { startedOf } from './accepted.js';
import { Delivery } from './delivery.js';
import { Emitter } from './emitter.js';
import { closed, inUse, ScriptaError } from './errors.js';
import type { NewGroup, ScriptaEvents, ScriptaOptions, State } from './events.js';
import { whenLive } from './when-live.js';
import { fillingFrom } from './filling.js';
import { Link, type LinkPort } from './link.js';
import type { Entering } from './messages.js';
import { Outbox } from './outbox.js';
import { Progress } from './progress.js';
import type { Accepted, Fact, Login, Sent, Session, Started, Tokens } from './protocol.js';
import { Reads } from './reads.js';
import { Rest } from './rest.js';
import { systemRuntime, uuid4, type Runtime } from './runtime.js';
import { MemoryStorage, type ScriptaStorage } from './storage.js';
import { DeviceTokens } from './tokens.js';

/**
 * One device of one person. Commands go through an outbox that survives reconnects (and restarts,
 * with a storage that does); facts come each once and in the order of their conversation.
 */
export class Scripta extends Reads {
  readonly #runtime: Runtime;
  readonly #storage: ScriptaStorage;
  readonly #emitter = new Emitter<ScriptaEvents>();
  readonly #rest: Rest;
  readonly #link: Link;
  readonly #outbox: Outbox;
  readonly #delivery: Delivery;
  readonly #tokens: DeviceTokens;
  readonly #deviceId: string | undefined;
  #restored: Promise<void> | undefined;
  #state: State = 'closed';

  constructor(options: ScriptaOptions) {
    super();
    const { url, token, userId, deviceId, storage, runtime, transport, fetch, apiKey } = options;
    const urls = typeof url === 'string' ? { rest: url, socket: url } : url;
    this.#runtime = runtime ?? systemRuntime;
    this.#storage = storage ?? new MemoryStorage();
    this.#deviceId = deviceId;
    this.#tokens = new DeviceTokens({
      runtime: this.#runtime,
      storage: this.#storage,
      refresh: (refreshToken, device) =>
        this.#rest.once('POST', '/v1/auth/refresh', { refreshToken, deviceId: device }),
      renewed: (renewed) => void this.#tell(renewed),
    });
    if (token !== undefined)
      this.#tokens.set({ token, userId: userId ?? '', deviceId: deviceId ?? '' }, false);
    const tokens = { token: () => this.#session?.token, renew: () => this.#tokens.change() };
    this.#rest = new Rest(urls.rest, this.#runtime, tokens, { fetch, apiKey });
    const port: LinkPort = {
      token: () => this.#session?.token ?? '',
      welcome: (who) => this.#welcome(who),
      fact: (fact) => this.#delivery.fact(fact),
      moved: (moved) => this.#delivery.moved(moved),
      reacted: (set) => this.#delivery.reacted(set),
      account: (notice) => this.#emitter.emit('account', notice),
      own: (notice) => this.#emitter.emit('own', notice),
      behind: () => this.#delivery.resume(),
      down: (next, error) => this.#down(next, error),
    };
    this.#link = new Link(urls.socket, this.#runtime, port, transport);
    this.#outbox = new Outbox(
      this.#runtime,
      this.#storage,
      async (name, command) => {
        const { duplicate = false, data, position = '0' } = await this.#link.request(name, command);
        return { duplicate, data, position };
      },
      {
        ended: (ended) => this.#emitter.emit('ended', ended),
        changed: (item) => {
          if (item.state === 'sent') progress.sent(item);
          this.#emitter.emit('outbox', item);
        },
      },
    );
    const progress = new Progress({
      userId: () => this.userId,
      changed: (item) => this.#emitter.emit('outbox', item),
    });
    this.on('receipts.moved', (moved) => progress.moved(moved));
    this.on('receipts', (receipts) => progress.stand(receipts));
    this.#delivery = new Delivery({
      link: () => this.#link,
      runtime: this.#runtime,
      storage: this.#storage,
      emitter: this.#emitter,
      userId: () => this.userId,
      fill: fillingFrom({
        runtime: this.#runtime,
        isClosed: () => this.#state === 'closed',
        page: (conversationId, range) => this.page(conversationId, range),
      }),
    });
    this.on('state', (state) => {
      this.#state = state;
    });
  }

  /** Listens to an event. Gives the way to stop. */
  on<Name extends keyof ScriptaEvents>(
    name: Name,
    listen: (argument: ScriptaEvents[Name]) => void,
  ): () => void {
    return this.#emitter.on(name, listen);
  }

  get state(): State {
    return this.#state;
  }

  protected override get outboxes(): Entering {
    return {
      enter: (name, data, id) => this.#command(name, data, id),
      set: (name, lane, data) => this.#uncounted(name, lane, data),
    };
  }

  protected override read(facts: readonly Fact[]): void {
    this.#delivery.chains.read(facts);
  }

  protected override get reached(): number {
    return this.#delivery.position;
  }

  protected override get rest(): Rest {
    return this.#rest;
  }

  get #session(): Session | undefined {
    return this.#tokens.session;
  }

  /** Who this device speaks for; known after `login`, or after connecting with a token. */
  get userId(): string {
    return this.#session?.userId ?? '';
  }

  get deviceId(): string {
    return this.#session?.deviceId ?? this.#deviceId ?? '';
  }

  /** Commands that have no answer yet. */
  get pending(): number {
    return this.#outbox.size;
  }

  /** Messages that are not in the log yet, or were refused: to show, edit, take back, send again. */
  get outbox(): Pick<Outbox, 'items' | 'edit' | 'cancel' | 'retry'> {
    return this.#outbox;
  }

  /** Has a one-time code sent to a phone. */
  requestCode(phone: string): Promise<Readonly<{ requestId: string; expiresAt: string }>> {
    return this.#rest.send('POST', '/v1/auth/codes', { phone });
  }

  /** Logs in by a code; who was unknown is registered. */
  async login({ requestId, code, name, device = {}, replace }: Login): Promise<Tokens> {
    await this.#restore();
    const id = device.id ?? (this.deviceId === '' ? undefined : this.deviceId);
    return this.#admitted({
      requestId,
      code,
      ...(name === undefined ? {} : { name }),
      ...(replace === undefined ? {} : { replace }),
      device: {
        ...device,
        name: device.name ?? 'SDK',
        platform: device.platform ?? 'sdk',
        ...(id === undefined ? {} : { id }),
      },
    });
  }

  /**
   * Goes on with a login that lacked something: the ticket is in the details of its refusal
   * (`approval_required`, `too_many_devices`), or was made by `account.link`.
   */
  async loginByTicket(
    ticket: string,
    { replace }: Readonly<{ replace?: string }> = {},
  ): Promise<Tokens> {
    await this.#restore();
    return this.#admitted({ ticket, ...(replace === undefined ? {} : { replace }) });
  }

  async #admitted(body: object): Promise<Tokens> {
    const tokens = await this.#rest.send<Tokens>('POST', '/v1/auth/tokens', body);
    const { accessToken: token, refreshToken, userId, deviceId, expiresAt } = tokens;
    this.#tokens.set({ token, refreshToken, userId, deviceId, expiresAt });
    return tokens;
  }

  /** Goes on with a new access token for the same device, without reconnecting. */
  async refresh(token: string): Promise<void> {
    await this.#link.request('auth.refresh', { v: 1, token });
    if (this.#session) this.#tokens.set({ ...this.#session, token });
  }

  /** Ends this device's session here and on the server, and disconnects. */
  async logout(): Promise<void> {
    await this.#restore();
    try {
      await this.#rest.send('POST', '/v1/auth/logout', {});
    } catch (error) {
      if (!(error instanceof ScriptaError) || error.code !== 'unauthorized') throw error;
    }
    this.#tokens.set(undefined);
    await this.close();
  }

  /** Connects, and stays connected. Resolves when facts arrive live; rejects when refused. */
  async connect(): Promise<void> {
    await this.#restore();
    if (!this.#session) {
      const message = 'Log in first, or give a token.';
      throw new ScriptaError({ code: 'unauthorized', message, retryable: false });
    }
    if (this.#state === 'live') return;
    const live = whenLive(this.#emitter);
    if (this.#state === 'closed') {
      this.#tokens.watch();
      this.#emitter.emit('state', 'connecting');
      this.#link.open();
    }
    await live;
  }

  /** Disconnects. What waits in the outbox is kept by the storage. */
  async close(): Promise<void> {
    this.#tokens.rest();
    this.#delivery.stop();
    this.#link.close();
    this.#outbox.abandon(closed());
    this.#emitter.emit('state', 'closed');
    await this.#storage.flush();
    if (!this.#storage.release) return;
    await this.#storage.release();
    // Another client may use it before this one connects again.
    this.#restored = undefined;
  }

  /** Cuts the connection as a network would; it comes back by itself. For tests of applications. */
  interrupt(): void {
    this.#link.interrupt();
  }

  /** Says something. Resolves when it is in the log; the same `id` again is the same message. */
  send(conversationId: string, text: string, options: { id?: string } = {}): Promise<Sent> {
    return this.messages.send(conversationId, { text }, options);
  }

  /** Begins a group; the same id again finds the same group. */
  async startGroup(group: NewGroup, id?: string): Promise<Started> {
    return this.#start('group', group, id);
  }

  /** Begins a broadcast: `members` are its admins, others follow. */
  async startBroadcast(group: NewGroup, id?: string): Promise<Started> {
    return this.#start('broadcast', group, id);
  }

  /** Opens the conversation with one person; with oneself (`userId`) it is one's notes. */
  async startDirect(userId: string): Promise<Started> {
    const accepted = await this.#outbox.enter({
      lane: `direct:${userId}`,
      isCounted: false,
      name: 'conversation.start',
      data: { kind: 'direct', with: userId },
    });
    return startedOf(accepted);
  }

  addMembers(conversationId: string, members: readonly string[]): Promise<Accepted> {
    return this.#command('member.add', { conversationId, members });
  }

  removeMember(conversationId: string, userId: string): Promise<Accepted> {
    return this.#command('member.remove', { conversationId, userId });
  }

  leave(conversationId: string): Promise<Accepted> {
    return this.#command('conversation.leave', { conversationId });
  }

  rename(conversationId: string, name: string): Promise<Accepted> {
    return this.#command('conversation.rename', { conversationId, name });
  }

  follow(conversationId: string): Promise<Accepted> {
    return this.#uncounted('broadcast.follow', `audience:${conversationId}`, { conversationId });
  }

  unfollow(conversationId: string): Promise<Accepted> {
    return this.#uncounted('broadcast.unfollow', `audience:${conversationId}`, { conversationId });
  }

  setName(name: string): Promise<Accepted> {
    return this.#uncounted('user.rename', 'user', { name });
  }

  chooseUsername(username: string): Promise<Accepted> {
    return this.#uncounted('username.choose', 'user', { username });
  }

  /** Moves the person's own read mark; authors hear of it. */
  markRead(conversationId: string, seq: number): Promise<Accepted> {
    const data = { conversationId, kind: 'read', seq };
    return this.#uncounted('receipt.mark', `marks:${conversationId}`, data);
  }

  #command(
    name: string,
    data: Readonly<{ conversationId: string } & Record<string, unknown>>,
    id?: string,
  ): Promise<Accepted> {
    const lane = data.conversationId;
    return this.#outbox.enter({ lane, isCounted: true, name, data: { ...data }, id });
  }

  #uncounted(name: string, lane: string, data: object): Promise<Accepted> {
    return this.#outbox.enter({ lane, isCounted: false, name, data: { ...data } });
  }

  async #start(kind: 'group' | 'broadcast', group: NewGroup, id?: string): Promise<Started> {
    const conversationId = group.conversationId ?? uuid4(this.#runtime);
    const { name, members } = group;
    const data = { kind, conversationId, name, members };
    return startedOf(await this.#command('conversation.start', data, id));
  }

  #restore(): Promise<void> {
    this.#restored ??= this.#takeOver().catch((error: unknown) => {
      this.#restored = undefined;
      throw error;
    });
    return this.#restored;
  }

  async #takeOver(): Promise<void> {
    if ((await this.#storage.claim?.()) === false) throw inUse();
    const kept = await this.#storage.load();
    this.#outbox.restore(kept);
    this.#delivery.restore(kept);
    this.#tokens.restore(kept);
  }

  #welcome({ userId, deviceId }: Readonly<{ userId: string; deviceId: string }>): void {
    if (this.#session) this.#tokens.set({ ...this.#session, userId, deviceId });
    this.#delivery.resume();
    this.#outbox.open();
  }

  #down(next: 'retrying' | 'over', error: ScriptaError): void {
    this.#outbox.close();
    this.#delivery.stop();
    if (next === 'over' && error.code === 'unauthorized' && this.#session?.refreshToken) {
      this.#emitter.emit('state', 'connecting');
      void this.#renewed(error);
      return;
    }
    this.#over(next, error);
  }

  /** The token is over: goes on with a new one, or is over as well. */
  async #renewed(error: ScriptaError): Promise<void> {
    const isNew = await this.#tokens.changePatiently(() => this.#state === 'connecting');
    if (this.#state !== 'connecting') return;
    if (isNew) this.#link.open();
    else this.#over('over', error);
  }

  /** Shows a new token where the connection stands; where it does not, the next one shows it. */
  async #tell(token: string): Promise<void> {
    if (this.#state !== 'live' && this.#state !== 'resuming') return;
    // Refused or lost, the connection ends with its old token, and comes back with the new.
    await this.#link.request('auth.refresh', { v: 1, token }).catch(() => undefined);
  }

  #over(next: 'retrying' | 'over', error: ScriptaError): void {
    if (next === 'over') {
      this.#tokens.rest();
      // Why comes first: who waits for a connection is told the reason.
      this.#emitter.emit('refused', error);
    }
    this.#emitter.emit('state', next === 'over' ? 'closed' : 'connecting');
  }
}
