import type { ConversationEvent, Role } from '#domain';

/** What a conversation's log says, read by the promises alone: nothing of the product's own folds. */
type Told = {
  readonly members: Map<string, Role>;
  messages: number;
};

/** What may be broken at an event, and how it would be told. */
type Breach = string;

const ADMINS: ReadonlySet<Role | undefined> = new Set<Role>(['owner', 'admin']);

const has = (told: Told, role: Role): boolean => [...told.members.values()].includes(role);

/** [V10] Who acts is in at that very place of the log, and may do what they do. */
const isAllowed = (told: Told, { type, data }: ConversationEvent): boolean => {
  const role = told.members.get(data.by);
  switch (type) {
    case 'ConversationStarted':
      return told.members.size === 0;
    case 'MembersAdded':
    case 'MemberRemoved':
    case 'ConversationRenamed':
      return ADMINS.has(role);
    case 'MemberLeft':
      return role !== undefined && data.userId === data.by;
    case 'RoleChanged':
      // The last owner who leaves hands on what they owned, in the same breath.
      return role === 'owner' || !has(told, 'owner');
    default:
      return role !== undefined;
  }
};

/** [V25] What an event does to the members, and what of it must not be. */
const moved = (told: Told, { type, data }: ConversationEvent, sizeMax: number): Breach[] => {
  switch (type) {
    case 'ConversationStarted':
      told.members.set(data.by, 'owner');
      return [];
    case 'MembersAdded': {
      const twice = data.members.filter((userId) => told.members.has(userId));
      for (const userId of data.members) told.members.set(userId, data.role);
      return [
        ...twice.map((userId) => `${userId} was made a member twice`),
        ...(new Set(data.members).size < data.members.length ? ['one was added twice'] : []),
        ...(data.role === 'owner' ? ['somebody came as an owner'] : []),
        ...(told.members.size > sizeMax ? [`there are ${told.members.size} members`] : []),
      ];
    }
    case 'MemberRemoved': {
      const wasOwner = told.members.get(data.userId) === 'owner';
      const wasIn = told.members.delete(data.userId);
      return [
        ...(wasIn ? [] : [`${data.userId}, who was not in, was removed`]),
        ...(wasOwner ? ['an owner was removed'] : []),
      ];
    }
    case 'MemberLeft':
      told.members.delete(data.userId);
      return [];
    case 'RoleChanged': {
      const wasIn = told.members.has(data.userId);
      told.members.set(data.userId, data.role);
      return wasIn ? [] : [`${data.userId}, who was not in, got a role`];
    }
    case 'MessageSent':
      told.messages += 1;
      return data.number === told.messages ? [] : [`message ${data.number} is not the next`];
    default:
      return [];
  }
};

/** Whether the next event is of the same command: what it ends may be mended by that. */
const isOver = (event: ConversationEvent, next: ConversationEvent | undefined): boolean =>
  next?.data.origin.command !== event.data.origin.command;

/**
 * All that a conversation's log breaks of what is promised of it: who acts may (V10); there is an
 * owner as long as there is anybody, nobody is in it twice, and it does not outgrow its size (V25).
 */
export const breachesOf = (
  events: readonly ConversationEvent[],
  { sizeMax }: Readonly<{ sizeMax: number }>,
): readonly Breach[] => {
  const told: Told = { members: new Map(), messages: 0 };
  return events.flatMap((event, seq) => {
    const found = isAllowed(told, event) ? [] : [`${event.data.by} was not allowed`];
    found.push(...moved(told, event, sizeMax));
    const isLeaderless = told.members.size > 0 && !has(told, 'owner');
    if (isOver(event, events[seq + 1]) && isLeaderless) found.push('nobody owns it');
    return found.map((what) => `seq ${seq}, ${event.type}: ${what}`);
  });
};
