import { Inject, Injectable } from '@nestjs/common';
import {
  mayRead,
  memberKey,
  type MemberView,
  shownRead,
  type ReceiptView,
  type StoredEntry,
  type UserView,
} from '#domain';
import { PORTS, type Ports } from '#commands';
import { QUERIES, type Stored } from '#platform';
import { attemptsFor, type Attempt } from './attempts.js';
import type { Page } from './inbox.js';
import { markTimes, type MarkTimes } from './mark-times.js';

/** What became of a message at one device. */
export type DeviceDelivery = Readonly<{
  deviceId: string;
  /** `sent`: it is in the log, and nothing was tried yet. */
  state: 'delivered' | 'told' | 'failed' | 'sent';
  deliveredAt?: string;
  attempts: readonly Attempt[];
}>;

/** What became of a message with one person: those who were there when it was said. */
export type MemberDelivery = Readonly<{
  userId: string;
  isAuthor: boolean;
  state: 'read' | 'delivered' | 'sent';
  deliveredAt?: string;
  readAt?: string;
  devices: readonly DeviceDelivery[];
}>;

type Heard = Readonly<{
  message: Stored<StoredEntry>;
  members: readonly Stored<MemberView>[];
  marks: ReadonlyMap<string, ReceiptView>;
}>;

const stateOf = (isDelivered: boolean, attempts: readonly Attempt[]): DeviceDelivery['state'] => {
  const isThere = attempts.some(({ result, hadIt }) => hadIt || result === 'acknowledged');
  if (isDelivered || isThere) return 'delivered';
  const last = attempts.at(-1);
  return last === undefined ? 'sent' : last.result === 'waiting' ? 'told' : 'failed';
};

/** The delivery ledger of a message: who got it, when, by which path, and why not. */
@Injectable()
export class Deliveries {
  constructor(@Inject(PORTS) private readonly ports: Ports) {}

  /** A page of the people who were in the conversation at the message's place, by user id. */
  async page(
    message: Stored<StoredEntry>,
    limit: number,
    after = '',
  ): Promise<Page<MemberDelivery>> {
    const { conversationId, place: position } = message;
    const asked = QUERIES.membersAfter(conversationId, after, limit);
    const found = await this.ports.views.find<MemberView>('members', asked);
    const members = found.filter(({ intervals }) => mayRead(intervals, position));
    const keys = members.map(({ userId }) => memberKey(conversationId, userId));
    const receipts = await this.ports.views.get<ReceiptView>('receipts', keys);
    const marks = new Map(receipts.map((mark) => [mark.userId, mark]));
    const items = await this.#items({ message, members, marks });
    const last = found.at(-1);
    return found.length === limit && last ? { items, cursor: last.userId } : { items };
  }

  async #items(heard: Heard): Promise<readonly MemberDelivery[]> {
    const { message, members, marks } = heard;
    const { operations, clock, views } = this.ports;
    const userIds = members.map(({ userId }) => userId);
    const place = { position: message.place, atMs: Date.parse(message.at) };
    const attempts = await attemptsFor(operations, userIds, place, clock.now());
    const people = await views.get<UserView>('users', userIds);
    const linked = new Map(
      people.map(({ _id, devices }) => [_id, devices.filter(({ at }) => at <= message.at)]),
    );
    const passed = [...marks.values()];
    const times = await markTimes(this.ports, message, {
      read: passed.filter(({ read, userId }) => read >= message.seq && userId !== message.actor)
        .length,
      delivered: passed
        .flatMap(({ delivered }) => Object.values(delivered))
        .filter((seq) => seq >= message.seq).length,
    });
    return userIds.map((userId) => {
      const own = (linked.get(userId) ?? []).map(({ deviceId }) => deviceId);
      const told = [...attempts.keys()]
        .filter((key) => key.startsWith(`${userId}:`))
        .map((key) => key.slice(userId.length + 1));
      const marked = Object.keys(marks.get(userId)?.delivered ?? {});
      const devices = [...new Set([...own, ...told, ...marked])].toSorted().map((deviceId) => {
        const tries = attempts.get(`${userId}:${deviceId}`) ?? [];
        return deviceOf(heard, { userId, deviceId, tries, times });
      });
      return memberOf(heard, userId, devices, times);
    });
  }
}

const deviceOf = (
  { message: { seq }, marks }: Heard,
  {
    userId,
    deviceId,
    tries,
    times,
  }: Readonly<{ userId: string; deviceId: string; tries: readonly Attempt[]; times: MarkTimes }>,
): DeviceDelivery => {
  const isMarked = (marks.get(userId)?.delivered[deviceId] ?? -1) >= seq;
  const deliveredAt = times.delivered.get(`${userId}:${deviceId}`);
  return {
    deviceId,
    state: stateOf(isMarked, tries),
    ...(deliveredAt === undefined ? {} : { deliveredAt }),
    attempts: tries,
  };
};

const memberOf = (
  { message: { seq, actor }, marks }: Heard,
  userId: string,
  devices: readonly DeviceDelivery[],
  times: MarkTimes,
): MemberDelivery => {
  const isAuthor = userId === actor;
  const mark = marks.get(userId);
  const isRead = !isAuthor && mark !== undefined && shownRead(mark).read >= seq;
  const isDelivered = devices.some(({ state }) => state === 'delivered');
  const [deliveredAt] = devices.flatMap((device) => device.deliveredAt ?? []).toSorted();
  const readAt = isRead ? times.read.get(userId) : undefined;
  return {
    userId,
    isAuthor,
    state: isRead ? 'read' : isDelivered ? 'delivered' : 'sent',
    ...(deliveredAt === undefined ? {} : { deliveredAt }),
    ...(readAt === undefined ? {} : { readAt }),
    devices,
  };
};
