import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Claims, PORTS, Streams, type Accepted, type Ports } from '#commands';
import { LinkDevice, RegisterUser, user, type Command } from '#domain';
import { eventIdOf, uuidOf, type Who } from '#platform';

/** What a person says about the device they log in on. */
export type DeviceInput = Readonly<{ id?: string | undefined; name: string; platform: string }>;

/** A person and their device, whether they are new, and the log's position that knows them. */
export type Registered = Who & Readonly<{ registered: boolean; position: string }>;

/** People by their phone numbers, and the devices that act for them. */
@Injectable()
export class Registration {
  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly claims: Claims,
    private readonly streams: Streams,
    private readonly bus: CommandBus,
  ) {}

  /** Finds or makes the person of a number, and links the device. Every step may be repeated. */
  async admit(
    requestId: string,
    phone: string,
    name: string,
    device: DeviceInput,
  ): Promise<Registered> {
    const userId = await this.#claimed(phone, requestId);
    const stream = `user-${userId}`;
    const step = (of: string) => this.#meta(requestId, of, userId, stream);
    const registered = await this.#run(new RegisterUser({ userId, phone, name }, step('register')));
    const deviceId = await this.#deviceOf(userId, device.id, requestId);
    const { position } = await this.#run(
      new LinkDevice(
        { userId, deviceId, name: device.name, platform: device.platform },
        { ...step('link'), device: deviceId },
      ),
    );
    return { userId, deviceId, registered: !registered.duplicate, position };
  }

  /** Who a number belongs to; who comes first with it becomes its person. */
  async #claimed(phone: string, requestId: string): Promise<string> {
    const holder = await this.claims.holderOf('phone', phone);
    if (holder !== undefined) return holder;
    const userId = this.ports.random.uuid();
    return this.claims.take('phone', phone, userId, this.#draft(requestId, 'claim', userId));
  }

  /** The device's own id, unless it is somebody else's: then a new one. */
  async #deviceOf(userId: string, asked: string | undefined, requestId: string): Promise<string> {
    const deviceId = asked ?? this.ports.random.uuid();
    const { state } = await this.streams.look(user, `user-${userId}`, 0);
    if (state.devices.has(deviceId)) return deviceId;
    const draft = this.#draft(requestId, `device:${deviceId}`, userId);
    const holder = await this.claims.take('device', deviceId, userId, draft);
    return holder === userId ? deviceId : this.#deviceOf(userId, undefined, requestId);
  }

  #run(command: Command): Promise<Accepted> {
    return this.bus.execute<Command, Accepted>(command);
  }

  #draft(requestId: string, step: string, actor: string) {
    const commandId = uuidOf(`sign-in:${requestId}:${step}`);
    return { commandId, actor, at: this.ports.clock.iso(), correlationId: requestId };
  }

  #meta(requestId: string, step: string, actor: string, stream: string) {
    const draft = this.#draft(requestId, step, actor);
    return { ...draft, eventId: eventIdOf(stream, '', draft.commandId) };
  }
}
