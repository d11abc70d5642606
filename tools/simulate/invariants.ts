import type { ConversationItem, Fact } from '#client';
import type { ReceiptView } from '#domain';
import type { Stored } from '#platform';
import { short, type Device } from './devices.js';
import type { TrueConversation, Truth } from './truth.js';

/** What a run has left behind, beside the log. */
export type Evidence = Readonly<{
  truth: Truth;
  devices: readonly Device[];
  receipts: readonly Stored<ReceiptView>[];
  /** The list that each device was given in the end. */
  lists: ReadonlyMap<Device, readonly ConversationItem[]>;
  /** What was found while it ran, and by building the read models again. */
  found: readonly string[];
}>;

/** Looks at the evidence; gives a sentence for each violation. */
export type Invariant = (evidence: Evidence) => readonly string[];

const at = ({ conversationId, seq }: Pick<Fact, 'conversationId' | 'seq'>): string =>
  `${short(conversationId)}#${seq}`;

const acknowledgedIsInTheLog: Invariant = ({ truth, devices }) =>
  devices.flatMap(({ name, attempts }) =>
    attempts.flatMap(({ conversationId, text, sent }) => {
      if (!sent) return [];
      const fact = truth.conversations.get(conversationId)?.facts[sent.seq];
      const isThere = fact?.id === sent.messageId && fact.data['text'] === text;
      return isThere ? [] : [`${name} was acknowledged "${text}" at ${at(sent)}; it is not there`];
    }),
  );

const nothingIsMadeUp: Invariant = ({ truth, devices }) => {
  const said = new Set(
    devices.flatMap(({ userId, attempts }) =>
      attempts.map(({ conversationId, text }) => `${userId} ${conversationId} ${text}`),
    ),
  );
  const stored = [...truth.conversations.values()].flatMap(({ facts }) => facts);
  const unsaid = stored.filter(
    ({ type, actor, conversationId, data }) =>
      type === 'message.sent' && !said.has(`${actor} ${conversationId} ${String(data['text'])}`),
  );
  const altered = devices.flatMap(({ name, shown }) =>
    shown.flatMap((fact) => {
      const stands = truth.conversations.get(fact.conversationId)?.facts[fact.seq];
      const isSame = stands && JSON.stringify(stands.data) === JSON.stringify(fact.data);
      return isSame && stands.id === fact.id ? [] : [`${name} shows ${at(fact)} altered`];
    }),
  );
  return [...truth.unreadable, ...unsaid.map((fact) => `nobody said ${at(fact)}`), ...altered];
};

const eachCommandOnce: Invariant = ({ truth }) =>
  [...truth.conversations.values()].flatMap(({ facts }) => {
    const seen = new Map<string, Fact | (typeof facts)[number]>();
    return facts.flatMap((fact) => {
      if (fact.type !== 'message.sent') return [];
      const before = seen.get(String(fact.data['text']));
      seen.set(String(fact.data['text']), fact);
      return before ? [`${at(fact)} is ${at(before)} once more`] : [];
    });
  });

const expectedOf = (truth: Truth, { userId, since }: Device) =>
  [...truth.conversations.values()].flatMap(({ facts }) =>
    facts.filter((fact) => Number(fact.position) > since && truth.mayHear(userId, fact)),
  );

const shownOnceAndAll: Invariant = ({ truth, devices }) =>
  devices.flatMap((device) => {
    // A device that died may show again what it could not note that it had shown.
    const twice = device.spells.flatMap((spell) => {
      const seen = new Set<string>();
      return spell.filter(({ id }) => seen.size === seen.add(id).size);
    });
    const shown = new Set(device.shown.map(({ id }) => id));
    const missing = expectedOf(truth, device).filter(({ id }) => !shown.has(id));
    return [
      ...twice.map((fact) => `${device.name} shows ${at(fact)} twice`),
      ...missing.map((fact) => `${device.name} does not show ${at(fact)} ${fact.type}`),
    ];
  });

const shownInOrder: Invariant = ({ devices }) =>
  devices.flatMap(({ name, spells }) =>
    spells.flatMap((spell) => {
      const last = new Map<string, number>();
      return spell.flatMap((fact) => {
        const before = last.get(fact.conversationId) ?? -1;
        last.set(fact.conversationId, fact.seq);
        return fact.seq > before ? [] : [`${name} shows ${at(fact)} after #${before}`];
      });
    }),
  );

/** The first events of commands: only they count. */
const firstsOf = ({ events }: TrueConversation) =>
  events.filter(
    ({ data: { origin } }, index) => events[index - 1]?.data.origin.command !== origin.command,
  );

const sendersInStep: Invariant = ({ truth, devices }) => [
  ...[...truth.conversations.values()].flatMap((conversation) => {
    const last = new Map<string, number>();
    return firstsOf(conversation).flatMap(({ revision, data: { origin } }) => {
      const { device, n } = origin;
      if (device === undefined || n === undefined) return [];
      const before = last.get(device) ?? 0;
      last.set(device, n);
      return n === before + 1
        ? []
        : [`${short(conversation.id)}#${revision} has n ${n} after ${before} of its device`];
    });
  }),
  ...devices.flatMap(({ name, attempts }) => {
    const last = new Map<string, number>();
    return attempts.flatMap(({ conversationId, text, sent }) => {
      if (!sent) return [];
      const before = last.get(conversationId) ?? -1;
      last.set(conversationId, sent.seq);
      return sent.seq > before ? [] : [`${name}'s "${text}" overtook what was said before it`];
    });
  }),
];

const ownWritesAreRead: Invariant = ({ devices }) =>
  devices.flatMap(({ name, looked }) =>
    looked.flatMap(({ facts, own, what }) =>
      own === undefined || facts.some(({ id }) => id === own)
        ? []
        : [`${name} does not find in its ${what} what it was acknowledged`],
    ),
  );

const strangersHearNothing: Invariant = ({ truth, devices }) =>
  devices.flatMap(({ name, userId, shown, forgotten, told }) => [
    ...[...forgotten, ...shown]
      .filter((fact) => !truth.mayHear(userId, fact))
      .map((fact) => `${name} was shown ${at(fact)} and was no member then`),
    ...told
      .filter((one) => !truth.mayHear(userId, one))
      .map(
        ({ what, conversationId, position }) =>
          `${name} was sent ${what} of ${short(conversationId)} at ${position}, no member then`,
      ),
  ]);

const onlyMembersAct: Invariant = ({ truth }) =>
  [...truth.conversations.values()].flatMap(({ id, events }) =>
    events
      .filter(({ data, position }) => {
        const stays = truth.staysOf(id, data.by);
        // Who leaves acts once more at the next place: their office is handed on.
        return !stays.some(({ from, to }) => position >= from && position <= to);
      })
      .filter(({ type }) => type !== 'RoleChanged')
      .map(({ revision, type }) => `${short(id)}#${revision} ${type} is by no member`),
  );

/** The furthest that a person's own marks and messages go. */
const furthestRead = (truth: Truth, conversationId: string, userId: string): number => {
  const own = truth.marks.filter(
    (mark) =>
      mark.conversationId === conversationId && mark.userId === userId && mark.kind === 'read',
  );
  const facts = truth.conversations.get(conversationId)?.facts ?? [];
  const sent = facts.findLast(({ type, actor }) => type === 'message.sent' && actor === userId);
  return Math.max(-1, sent?.seq ?? -1, ...own.map(({ seq }) => seq));
};

const marksNeverGoBack: Invariant = ({ truth, devices, receipts }) => {
  const wrong = receipts.flatMap(({ conversationId, userId, read }) => {
    const furthest = furthestRead(truth, conversationId, userId);
    const head = (truth.conversations.get(conversationId)?.facts.length ?? 0) - 1;
    return read === furthest && read <= head
      ? []
      : [`the read mark in ${short(conversationId)} is at ${read} of ${head}, not at ${furthest}`];
  });
  const lost = devices.flatMap(({ name, userId, marked }) =>
    marked.flatMap(({ conversationId, seq }) => {
      const stands = receipts.find(
        (receipt) => receipt.conversationId === conversationId && receipt.userId === userId,
      );
      return (stands?.read ?? -1) >= seq
        ? []
        : [`${name} had ${short(conversationId)} read to ${seq}; it is not so any more`];
    }),
  );
  return [...wrong, ...lost];
};

const marksAreToldForwards: Invariant = ({ devices }) =>
  devices.flatMap(({ name, told }) => {
    const last = new Map<string, number>();
    return told.flatMap(({ conversationId, mark }) => {
      if (!mark) return [];
      const before = last.get(mark.of) ?? -1;
      last.set(mark.of, mark.seq);
      return mark.seq >= before
        ? []
        : [`${name} was told of a mark in ${short(conversationId)} at ${mark.seq} after ${before}`];
    });
  });

/** What is said in a thread is no more to read for those who do not follow it. */
const isCounted = ({ type, data }: TrueConversation['events'][number]): boolean =>
  type === 'MessageSent' && data.thread === undefined;

const numberAt = ({ events }: TrueConversation, position: number): number => {
  let number = 0;
  for (const event of events) if (event.position < position && isCounted(event)) number += 1;
  return number;
};

const unreadIsExact: Invariant = ({ truth, lists }) =>
  [...lists].flatMap(([device, items]) =>
    items.flatMap(({ conversationId, unread, number }) => {
      const conversation = truth.conversations.get(conversationId);
      const stay = truth.staysOf(conversationId, device.userId).at(-1);
      if (!conversation || !stay)
        return [`${device.name} has ${short(conversationId)} on its list`];
      const own = truth.marks.filter(
        (mark) =>
          mark.kind === 'read' &&
          mark.conversationId === conversationId &&
          mark.userId === device.userId,
      );
      const sent = conversation.events.findLast(
        (event) => isCounted(event) && event.data.by === device.userId,
      );
      const read = Math.max(
        numberAt(conversation, stay.from),
        ...own.map((mark) => mark.number),
        sent?.type === 'MessageSent' ? sent.data.number : 0,
      );
      const total = numberAt(conversation, Infinity);
      const counts = `${unread} of ${number} unread, not ${total - read} of ${total}`;
      return number === total && unread === total - read
        ? []
        : [`${device.name} has in ${short(conversationId)} ${counts}`];
    }),
  );

const oneChain: Invariant = ({ truth }) =>
  [...truth.conversations.values()].flatMap(({ id, events }) => {
    let number = 0;
    return events.flatMap((event) => {
      if (event.type !== 'MessageSent') return [];
      if (isCounted(event)) number += 1;
      return event.data.number === number
        ? []
        : [`${short(id)}#${event.revision} is message ${event.data.number}, not ${number}`];
    });
  });

const nobodyFailed: Invariant = ({ devices }) =>
  devices.flatMap(({ name, failures }) => failures.map((failure) => `${name}: ${failure}`));

/** What must hold after every run, whatever went wrong in it; numbers as in the tests' titles. */
export const INVARIANTS: Readonly<Record<string, Invariant>> = {
  'V1 acknowledged is in the log': acknowledgedIsInTheLog,
  'V2 nothing is made up': nothingIsMadeUp,
  'V3 a retry is one message': eachCommandOnce,
  'V4 shown once, and all of it': shownOnceAndAll,
  'V5 one order for all': shownInOrder,
  'V6 senders in step': sendersInStep,
  'V7 own writes are read': ownWritesAreRead,
  'V8 V9 members only, for as long as they are': strangersHearNothing,
  'V10 members only act': onlyMembersAct,
  'V11 marks never go back': marksNeverGoBack,
  'V11 marks are told forwards': marksAreToldForwards,
  'V12 unread is exact': unreadIsExact,
  'Z13 one chain of messages': oneChain,
  'V13 V14 V15 read models': ({ found }) => found,
  'nobody is turned away': nobodyFailed,
};
