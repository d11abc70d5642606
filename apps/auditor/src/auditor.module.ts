import {
  Controller,
  Get,
  Module,
  ServiceUnavailableException,
  type DynamicModule,
} from '@nestjs/common';
import { Auditor, type Report } from './auditor.js';

/** For who watches the platform. */
@Controller()
export class AuditController {
  constructor(private readonly auditor: Auditor) {}

  @Get('livez')
  live(): { status: 'live' } {
    return { status: 'live' };
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
}

/** The process that checks deliveries beside the product. */
@Module({})
export class AuditorModule {
  static on(auditor: Auditor): DynamicModule {
    return {
      module: AuditorModule,
      controllers: [AuditController],
      providers: [{ provide: Auditor, useValue: auditor }],
    };
  }
}
