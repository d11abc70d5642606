import {
  Controller,
  Get,
  Header,
  Module,
  ServiceUnavailableException,
  type DynamicModule,
} from '@nestjs/common';
import { METRICS_TYPE, metricsText } from '#platform';
import { CommandsModule, type Ports } from '#commands';
import { Accounts } from './accounts.js';
import { Connections } from './connections.js';
import { Cursors } from './cursor.js';
import { Doorman } from './doorman.js';
import { Following } from './following.js';
import { Inbox } from './inbox.js';
import { Limits } from './limits.js';
import { DraftNews } from './draft-news.js';
import { DeliveryLoop } from './loop.js';
import { Parking } from './parking.js';
import { ReactionNews } from './reactions.js';
import { ReceiptNews } from './receipts.js';
import { RegisterNews } from './register-news.js';
import { Requests } from './requests.js';
import { Resume } from './resume.js';
import { Rooms } from './rooms.js';
import { Spans } from './spans.js';
import { SocketGateway } from './socket.gateway.js';

/** Says whether this process takes sockets and follows the log. */
@Controller()
export class ReadinessController {
  constructor(
    private readonly gateway: SocketGateway,
    private readonly parking: Parking,
  ) {}

  @Get('readyz')
  ready(): object {
    if (this.gateway.isReady) return { status: 'ready', parked: this.parking.count };
    throw new ServiceUnavailableException('The loop does not follow the log yet.');
  }

  /** What went wrong, by code and place, as Prometheus reads it. */
  @Get('metrics')
  @Header('content-type', METRICS_TYPE)
  metrics(): string {
    return metricsText();
  }

  @Get('livez')
  live(): object {
    return { status: 'live' };
  }
}

/** The socket door's parts. */
@Module({})
export class RealtimeModule {
  /** Stands on the given ports. */
  static on(ports: Ports): DynamicModule {
    return {
      module: RealtimeModule,
      imports: [CommandsModule.on(ports)],
      controllers: [ReadinessController],
      providers: [
        Rooms,
        Spans,
        ReceiptNews,
        ReactionNews,
        RegisterNews,
        Parking,
        DeliveryLoop,
        Following,
        Cursors,
        Resume,
        Connections,
        Accounts,
        DraftNews,
        Doorman,
        Limits,
        Requests,
        Inbox,
        SocketGateway,
      ],
    };
  }
}
