import type { ConversationItem, Fact, Member, PageOf, Person, Range } from './protocol.js';
import type { Query, Rest } from './rest.js';

/** What a client reads over REST. Each read may wait for a place of the log by `minPosition`. */
export abstract class Reads {
  protected abstract get rest(): Rest;
  /** Facts of a conversation were read from its history. */
  protected abstract read(facts: readonly Fact[]): void;

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
