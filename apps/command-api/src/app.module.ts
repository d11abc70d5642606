import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { CommandsModule, type Ports } from '#commands';
import { CodeSender } from '#platform';
import { AccountController } from './account.controller.js';
import { CallerGuard } from './caller.js';
import { CheckedPipe } from './checked.pipe.js';
import { CommandsController } from './commands.controller.js';
import { ConversationsController } from './conversations.controller.js';
import { Departures } from './departures.js';
import { Deliveries } from './deliveries.js';
import { DevicesController } from './devices.controller.js';
import { ExportsController } from './exports.controller.js';
import { Exports } from './exports.js';
import { Freshness } from './freshness.js';
import { GroupsController } from './groups.controller.js';
import { HealthController } from './health.controller.js';
import { Inbox } from './inbox.js';
import { Keeping } from './keeping.js';
import { Joining } from './joining.js';
import { JoiningController } from './joining.controller.js';
import { KeysController } from './keys.controller.js';
import { Logins } from './logins.js';
import { MessagesController } from './messages.controller.js';
import { Myself } from './myself.js';
import { Overview } from './overview.js';
import { OverviewController } from './overview.controller.js';
import { OwnController } from './own.controller.js';
import { Passages } from './passages.js';
import { PassagesController } from './passages.controller.js';
import { PeopleController } from './people.controller.js';
import { PinsController } from './pins.controller.js';
import { Proofs } from './proofs.js';
import { ProofsController } from './proofs.controller.js';
import { OneTimeCodes } from './one-time-codes.js';
import { ProblemFilter } from './problem.filter.js';
import { Reactions } from './reactions.js';
import { ReactionsController } from './reactions.controller.js';
import { Registration } from './registration.js';
import { Sessions } from './sessions.js';
import { ScheduledController } from './scheduled.controller.js';
import { SignInController } from './sign-in.controller.js';
import { Threads } from './threads.js';
import { ThreadsController } from './threads.controller.js';
import { Traces } from './traces.js';
import { Tickets } from './tickets.js';
import { Transcript } from './transcript.js';

/** The REST door. */
@Module({})
export class AppModule {
  /** Stands on the given ports. */
  static on(ports: Ports, sender: CodeSender): DynamicModule {
    return {
      module: AppModule,
      imports: [CommandsModule.on(ports)],
      controllers: [
        SignInController,
        AccountController,
        ExportsController,
        DevicesController,
        KeysController,
        PeopleController,
        ConversationsController,
        GroupsController,
        JoiningController,
        OverviewController,
        MessagesController,
        ReactionsController,
        PinsController,
        ThreadsController,
        OwnController,
        ScheduledController,
        PassagesController,
        CommandsController,
        ProofsController,
        HealthController,
      ],
      providers: [
        OneTimeCodes,
        Registration,
        Sessions,
        Tickets,
        Logins,
        Myself,
        Inbox,
        Keeping,
        Passages,
        Transcript,
        Reactions,
        Joining,
        Threads,
        Proofs,
        Overview,
        Deliveries,
        Exports,
        Traces,
        Departures,
        Freshness,
        { provide: CodeSender, useValue: sender },
        { provide: APP_GUARD, useClass: CallerGuard },
        { provide: APP_PIPE, useClass: CheckedPipe },
        { provide: APP_FILTER, useClass: ProblemFilter },
      ],
    };
  }
}
