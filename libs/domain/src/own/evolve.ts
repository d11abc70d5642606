import type { Snapshots } from '../decider.js';
import type { OwnEvent } from './events.js';

/** Only what a decision needs: what counts towards a limit. */
export type Own = {
  pinned: Set<string>;
  saved: Set<string>;
  /** Names of the settings of each conversation that has some. */
  settings: Map<string, Set<string>>;
};

export const initial = (): Own => ({ pinned: new Set(), saved: new Set(), settings: new Map() });

/** A flat JSON object as it was written; none where it was erased. */
export const objectOf = (written: string): Readonly<Record<string, unknown>> => {
  const read: unknown = written === '' ? {} : JSON.parse(written);
  return { ...(typeof read === 'object' ? read : {}) };
};

const setting = (names: Set<string>, written: string): Set<string> => {
  for (const [name, value] of Object.entries(objectOf(written)))
    if (value === null) names.delete(name);
    else names.add(name);
  return names;
};

export const evolve = (state: Own, { type, data }: OwnEvent): Own => {
  switch (type) {
    case 'ConversationArranged': {
      const { conversationId, pinned, settings } = data;
      if (pinned === 'yes') state.pinned.add(conversationId);
      if (pinned === 'no') state.pinned.delete(conversationId);
      if (settings === undefined) return state;
      const names = setting(state.settings.get(conversationId) ?? new Set(), settings);
      state.settings.set(conversationId, names);
      return state;
    }
    case 'MessageSaved':
      state.saved.add(data.messageId);
      return state;
    case 'MessageUnsaved':
      state.saved.delete(data.messageId);
      return state;
  }
};

type Frozen = Readonly<{
  pinned: readonly string[];
  saved: readonly string[];
  settings: readonly (readonly [string, readonly string[]])[];
}>;

export const snapshots: Snapshots<Own> = {
  version: 1,
  freeze: ({ pinned, saved, settings }) => ({
    pinned: [...pinned],
    saved: [...saved],
    settings: [...settings].map(([conversationId, names]) => [conversationId, [...names]]),
  }),
  thaw: (frozen) => {
    // A snapshot of this version was written by `freeze` above; others are never thawed.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const { pinned, saved, settings } = frozen as Frozen;
    return {
      pinned: new Set(pinned),
      saved: new Set(saved),
      settings: new Map(settings.map(([id, names]) => [id, new Set(names)])),
    };
  },
};
