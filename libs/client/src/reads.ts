import { Account } from './account.js';
import { Groups } from './groups.js';
import { Joining } from './joining.js';
import { Lists } from './lists.js';
import { Messages, type Entering } from './messages.js';
import type {
  ConversationItem,
  Around,
  Fact,
  Member,
  OverviewItem,
  OverviewQuery,
  PageOf,
  Passage,
  Person,
  Range,
} from './protocol.js';
import type { Query, Rest } from './rest.js';
import { Threads } from './threads.js';

/** What a client reads over REST. Each read may wait for a place of the log by `minPosition`. */
export abstract class Reads {
  protected abstract get rest(): Rest;
  /** The last place in the log that was handled live; -1 before the first. */
  protected abstract get reached(): number;
  /** Facts of a conversation were read from its history. */
  protected abstract read(facts: readonly Fact[]): void;

  /** The ways into the outbox. */
  protected abstract get outboxes(): Entering;

  /** Messages of all kinds. */
  get messages(): Messages {
    return new Messages(this.rest, this.outboxes);
  }

  /** How groups are looked after. */
  get groups(): Groups {
    return new Groups(this.rest, this.outboxes);
  }

  /** How people come into groups. */
  get joining(): Joining {
    return new Joining(this.rest);
  }

  /** One's own account. */
  get account(): Account {
    return new Account(this.rest);
  }

  /** What one keeps for oneself: how one's list is, and saved messages. */
  get lists(): Lists {
    return new Lists(this.rest);
  }

  /** What is said in answer to messages. */
  get threads(): Threads {
    return new Threads(this.rest);
  }

  me(): Promise<Person> {
    return this.rest.get('/v1/me');
  }

  user(userId: string): Promise<Person> {
    return this.rest.get(`/v1/users/${userId}`);
  }

  /** A page of the conversation list, newest first. */
  conversations(query: Query = {}): Promise<PageOf<ConversationItem>> {
    return this.rest.get('/v1/conversations', query);
  }

  /**
   * What a device that knows nothing shows first, page by page: the open conversation, those with
   * something unread, the others by activity; of each its members and its latest facts. Once
   * connected, nothing is missing between these and what comes live; what is in both has one `seq`.
   */
  async *overview(asked: OverviewQuery = {}): AsyncGenerator<readonly OverviewItem[]> {
    let next = asked.cursor;
    do {
      const minPosition = asked.minPosition ?? (this.reached < 0 ? undefined : `${this.reached}`);
      const query = { ...asked, minPosition, cursor: next };
      const page = await this.rest.get<PageOf<OverviewItem>>('/v1/overview', query);
      for (const { recent } of page.items) this.read(recent.items);
      yield page.items;
      next = page.cursor;
    } while (next !== undefined);
  }

  conversation(conversationId: string, query: Query = {}): Promise<ConversationItem> {
    return this.rest.get(`/v1/conversations/${conversationId}`, query);
  }

  members(conversationId: string, query: Query = {}): Promise<PageOf<Member>> {
    return this.rest.get(`/v1/conversations/${conversationId}/members`, query);
  }

  /** A page of facts, in the order of the conversation. */
  async history(conversationId: string, range: Range = {}): Promise<PageOf<Fact>> {
    const page = await this.page(conversationId, range);
    this.read(page.items);
    return page;
  }

  /** Facts around a seq, a message or a time. */
  async around(conversationId: string, where: Around): Promise<Passage> {
    const path = `/v1/conversations/${conversationId}/around`;
    const passage = await this.rest.get<Passage>(path, where);
    this.read(passage.items);
    return passage;
  }

  /** One message, by what its permalink says. */
  message(conversationId: string, messageId: string, query: Query = {}): Promise<Fact> {
    return this.rest.get(`/v1/conversations/${conversationId}/messages/${messageId}`, query);
  }

  /** Who got a message and who read it. */
  receipts(conversationId: string, messageId: string, query: Query = {}): Promise<unknown> {
    const path = `/v1/conversations/${conversationId}/messages/${messageId}/receipts`;
    return this.rest.get(path, query);
  }

  /** A page as it came, not yet checked. */
  protected page(conversationId: string, range: Range): Promise<PageOf<Fact>> {
    return this.rest.get(`/v1/conversations/${conversationId}/messages`, range);
  }
}
