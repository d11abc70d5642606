import { Module, type DynamicModule } from '@nestjs/common';
import { HealthController } from './health.controller.js';
import { LiveProjection } from './projection.js';

/** The process that folds the log into the read models. */
@Module({})
export class ProjectorModule {
  static on(projection: LiveProjection): DynamicModule {
    return {
      module: ProjectorModule,
      controllers: [HealthController],
      providers: [{ provide: LiveProjection, useValue: projection }],
    };
  }
}
