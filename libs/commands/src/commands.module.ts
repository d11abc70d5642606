import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import {
  AccessTokens,
  Clock,
  Codec,
  EventStore,
  Keys,
  Operations,
  Random,
  RateLimiter,
  Timer,
  Views,
} from '#platform';
import { AccountNews } from './account-news.js';
import { OtherStreams } from './beforehand.js';
import { Claims } from './claims.js';
import { CommandDoor } from './command-door.js';
import { commandHandlers } from './commands.js';
import { Drafts } from './drafts.js';
import { Messages } from './messages.js';
import { People } from './people.js';
import { CONFIG, PORTS, type Ports } from './ports.js';
import { PolicyRunner } from './policy-runner.js';
import { ReactionsDoor } from './reactions-door.js';
import { ReceiptsDoor } from './receipts-door.js';
import { Registers } from './registers.js';
import { Scheduler } from './scheduler.js';
import { Streams } from './streams.js';
import { Welcome } from './welcome.js';

const provided = (ports: Ports): Provider[] => [
  { provide: PORTS, useValue: ports },
  { provide: CONFIG, useValue: ports.config },
  { provide: EventStore, useValue: ports.store },
  { provide: Codec, useValue: ports.codec },
  { provide: Keys, useValue: ports.keys },
  { provide: Views, useValue: ports.views },
  { provide: Operations, useValue: ports.operations },
  { provide: RateLimiter, useValue: ports.limiter },
  { provide: Clock, useValue: ports.clock },
  { provide: Random, useValue: ports.random },
  { provide: Timer, useValue: ports.timer },
  {
    provide: AccessTokens,
    useValue: new AccessTokens(ports.keys, ports.clock, ports.config.ACCESS_TOKEN_TTL_S, {
      rotationS: ports.config.ACCESS_KEY_ROTATION_S,
      generation: ports.config.ACCESS_KEY_GENERATION,
    }),
  },
];

/** The writing side, the same behind both doors: ports, handlers, and the doors' own ways in. */
@Module({})
export class CommandsModule {
  /** Stands on ports that the process has opened, and closes when it ends. */
  static on(ports: Ports): DynamicModule {
    const own = [
      Streams,
      Claims,
      Messages,
      OtherStreams,
      Welcome,
      CommandDoor,
      ReceiptsDoor,
      ReactionsDoor,
      Registers,
      PolicyRunner,
      People,
      AccountNews,
      Drafts,
      Scheduler,
    ];
    const offered = provided(ports);
    return {
      module: CommandsModule,
      global: true,
      imports: [CqrsModule.forRoot()],
      providers: [...offered, ...own, ...commandHandlers],
      exports: [CqrsModule, ...offered, ...own],
    };
  }
}
