import { type Caller, personalData } from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { collectPersonalData } from '@mentorhub/persistence';
import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { personalDataSources } from './personal-data.js';

@Controller()
export class PersonalDataController {
  constructor(private readonly dataSource: DataSource) {}

  @Handle(personalData('payments').collect)
  collect(_: Caller | undefined, request: { user_id: number; cursor?: string }) {
    return collectPersonalData(this.dataSource, personalDataSources, request);
  }
}
