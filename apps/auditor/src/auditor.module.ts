import {
  Controller,
  Get,
  Header,
  Module,
  ServiceUnavailableException,
  type DynamicModule,
} from '@nestjs/common';
import { METRICS_TYPE, metricsText } from '#platform';
import { Auditor, type Report } from './auditor.js';
import { SealKeeper, type HeadsReport } from './seal-keeper.js';

/** For who watches the platform. */
@Controller()
export class AuditController {
  constructor(
    private readonly auditor: Auditor,
    private readonly keeper: SealKeeper,
  ) {}

  @Get('livez')
  live(): { status: 'live' } {
    return { status: 'live' };
  }

  /** What went wrong, by code and place, as Prometheus reads it. */
  @Get('metrics')
  @Header('content-type', METRICS_TYPE)
  metrics(): string {
    return metricsText();
  }

  /** Ready once it follows the log; an alarm does not make it less ready. */
  @Get('readyz')
  ready(): { status: 'ready' } {
    if (this.auditor.isReady) return { status: 'ready' };
    throw new ServiceUnavailableException('It does not follow the log yet.');
  }

  /** What was compared, and what was wrong. */
  @Get('audit')
  audit(): Report {
    return this.auditor.report();
  }

  /** The latest signed head over the log, and whether the log is still what was signed. */
  @Get('audit/heads')
  heads(): HeadsReport {
    return this.keeper.report();
  }

  /** The public key that heads are signed with, as PEM. */
  @Get('audit/key')
  @Header('content-type', 'application/x-pem-file')
  key(): string {
    return this.keeper.publicKey;
  }
}

/** The process that checks deliveries beside the product, and signs heads over the log. */
@Module({})
export class AuditorModule {
  static on(auditor: Auditor, keeper: SealKeeper): DynamicModule {
    return {
      module: AuditorModule,
      controllers: [AuditController],
      providers: [
        { provide: Auditor, useValue: auditor },
        { provide: SealKeeper, useValue: keeper },
      ],
    };
  }
}
