import { type Caller, type Device, personalData, PersonalDataExports } from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { collectPersonalData } from '@mentorhub/persistence';
import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ExportsService } from './exports.service.js';
import { personalDataSources } from './personal-data.js';

@Controller()
export class PersonalDataController {
  constructor(
    private readonly dataSource: DataSource,
    private readonly exports: ExportsService,
  ) {}

  @Handle(PersonalDataExports.begin)
  begin(actor: Caller, { device }: { device: Device }) {
    return this.exports.begin(actor, device);
  }

  @Handle(personalData('identity').collect)
  collect(_: Caller | undefined, request: { user_id: number; cursor?: string }) {
    return collectPersonalData(this.dataSource, personalDataSources, request);
  }
}
