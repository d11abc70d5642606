import { Inject, Injectable, Logger } from '@nestjs/common';
import { Claims, People, PORTS, type Accepted, type Ports } from '#commands';
import {
  ChangePhone,
  HoldLogin,
  NoteRefusedLogin,
  RegisterUser,
  reject,
  StartSession,
  type DeviceView,
  type SessionMethod,
  type UserView,
} from '#domain';
import { eventIdOf, uuidOf, type Who } from '#platform';
import { Sessions, type SessionOf } from './sessions.js';

/** What a person says about the device they log in on. */
export type DeviceInput = Readonly<{
  id?: string | undefined;
  name: string;
  platform: string;
  version?: string | undefined;
}>;

/** A login: which one (a repeat of it changes nothing), on what, how, from where. */
export type Arrival = Readonly<{
  /** A UUID. */
  loginId: string;
  device: DeviceInput;
  method: SessionMethod;
  approvedBy?: string | undefined;
  /** A linked device that makes room. */
  replacing?: string | undefined;
  place?: string | undefined;
}>;

/** A session, and the log's position that knows it. */
export type Admitted = SessionOf & Readonly<{ position: string }>;

/** People by their phone numbers, and the devices that act for them. */
@Injectable()
export class Registration {
  readonly #logger = new Logger(Registration.name);

  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly claims: Claims,
    private readonly people: People,
    private readonly sessions: Sessions,
  ) {}

  /** Finds or makes the person of a number. Every step may be repeated. */
  async personOf(
    loginId: string,
    phone: string,
    name: string,
  ): Promise<Readonly<{ userId: string; registered: boolean }>> {
    const userId = await this.#claimed(phone, loginId);
    const meta = this.#meta(loginId, 'register', userId);
    const { duplicate } = await this.people.run(new RegisterUser({ userId, phone, name }, meta));
    return { userId, registered: !duplicate };
  }

  /** Whether a new device of theirs waits for one of the others to approve. */
  async needsApproval(userId: string, device: DeviceInput): Promise<boolean> {
    const { state } = await this.people.look(userId);
    const isKnown = device.id !== undefined && state.devices.has(device.id);
    const isAnyActive = [...state.devices.values()].some((session) => session !== undefined);
    return state.privacy.login === 'approval' && isAnyActive && !isKnown;
  }

  /** Tells a person's devices that a login waits for them. */
  async hold(userId: string, approvalId: string, arrival: Arrival): Promise<void> {
    const { name, platform } = arrival.device;
    const { place, loginId } = arrival;
    const meta = this.#meta(loginId, 'hold', userId);
    await this.people.run(new HoldLogin({ userId, approvalId, name, platform, place }, meta));
  }

  /** Tells a person, if a number has one, that its code was guessed at until no try was left. */
  async noteRefused(loginId: string, phone: string, place: string | undefined): Promise<void> {
    try {
      const userId = await this.claims.holderOf('phone', phone);
      if (userId === undefined) return;
      const meta = this.#meta(loginId, 'refused', userId);
      await this.people.run(new NoteRefusedLogin({ userId, place }, meta));
    } catch (error) {
      this.#logger.warn(`A burst of wrong codes was not noted: ${String(error)}`);
    }
  }

  /**
   * Has a person go by another number, which they have proven to be theirs. Throws `already_exists`
   * where it is another person's. The number before is free once a policy has released it.
   */
  async moveTo({ userId, deviceId }: Who, requestId: string, phone: string): Promise<Accepted> {
    const { state, revision: asOf } = await this.people.latest(userId);
    const draft = this.#draft(requestId, 'phone', userId);
    const holder = await this.claims.take('phone', phone, { holder: userId, asOf }, draft);
    if (holder !== userId) reject('already_exists', 'Another account has this number.');
    const claim = this.claims.streamOf('phone', phone);
    const former = state.phone === undefined ? claim : this.claims.streamOf('phone', state.phone);
    const previousClaim = former === claim ? undefined : former;
    const meta = { ...this.#meta(requestId, 'phone-changed', userId), device: deviceId };
    return this.people.run(new ChangePhone({ userId, phone, claim, asOf, previousClaim }, meta));
  }

  /** Lets a device act for a person. Throws `too_many_devices` where it has no room. */
  async admit(userId: string, arrival: Arrival): Promise<Admitted> {
    const { loginId, device, ...how } = arrival;
    const deviceId = await this.#deviceOf(userId, device.id, loginId);
    const session = { userId, deviceId, sessionId: uuidOf(`session:${loginId}`) };
    await this.sessions.prepare(session);
    const { name, platform, version } = device;
    const { method, approvedBy, replacing, place } = how;
    const data = { ...session, name, platform, version, method, approvedBy, replacing, place };
    const meta = { ...this.#meta(loginId, 'session', userId), device: deviceId };
    const { position } = await this.people.run(new StartSession(data, meta));
    return { ...session, position };
  }

  /** The devices that act for a person. */
  async devicesOf(userId: string): Promise<readonly DeviceView[]> {
    const [person] = await this.ports.views.get<UserView>('users', [userId]);
    return person?.devices ?? [];
  }

  /** Who a number belongs to; who comes first with it becomes its person. */
  async #claimed(phone: string, loginId: string): Promise<string> {
    const holder = await this.claims.holderOf('phone', phone);
    if (holder !== undefined) return holder;
    const userId = this.ports.random.uuid();
    return this.claims.take(
      'phone',
      phone,
      { holder: userId },
      this.#draft(loginId, 'claim', userId),
    );
  }

  /** The device's own id, unless it is somebody else's: then a new one. */
  async #deviceOf(userId: string, asked: string | undefined, loginId: string): Promise<string> {
    const deviceId = asked ?? uuidOf(`device:${loginId}`);
    const { state } = await this.people.look(userId);
    if (state.devices.has(deviceId)) return deviceId;
    const draft = this.#draft(loginId, `device:${deviceId}`, userId);
    const holder = await this.claims.take('device', deviceId, { holder: userId }, draft);
    return holder === userId ? deviceId : this.#deviceOf(userId, undefined, loginId);
  }

  #draft(loginId: string, step: string, actor: string) {
    const commandId = uuidOf(`sign-in:${loginId}:${step}`);
    return { commandId, actor, at: this.ports.clock.iso(), correlationId: loginId };
  }

  #meta(loginId: string, step: string, actor: string) {
    const draft = this.#draft(loginId, step, actor);
    return { ...draft, eventId: eventIdOf(`user-${actor}`, '', draft.commandId) };
  }
}
