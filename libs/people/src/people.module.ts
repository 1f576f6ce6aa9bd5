import { Module } from '@nestjs/common';
import { People } from './people.js';
import { PeopleEvents } from './people.events.js';

/** Gives a service `People`; its migrations must contain `peopleMigrations`. */
@Module({ controllers: [PeopleEvents], providers: [People], exports: [People] })
export class PeopleModule {}
