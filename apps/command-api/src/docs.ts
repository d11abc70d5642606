import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';

/** `/docs`, whose assets are ours, and `/docs-json`, made from the routes' own schemas. */
export const describeAt = (app: INestApplication, publicUrl: string): void => {
  const description = new DocumentBuilder()
    .setTitle('Scripta')
    .setDescription('Messages over REST. What happens live comes by the socket at /socket.io.')
    .setVersion('1')
    .addServer(publicUrl)
    .addBearerAuth()
    .addApiKey({ type: 'apiKey', name: 'X-Api-Key', in: 'header' }, 'apiKey')
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, description), {
    jsonDocumentUrl: 'docs-json',
    raw: ['json'],
    customSiteTitle: 'Scripta REST',
  });
};
